"""What an operator sets: variables that begin with `STUDIO_`."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from . import offered

#: A secret that cannot be guessed.
Secret = Annotated[SecretStr, Field(min_length=16)]


class Settings(BaseSettings):
    """The backend's settings; the endpoint's own are the client's (`LTX2_ENDPOINT_ID`, `RUNPOD_API_KEY`)."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_", extra="forbid", frozen=True)

    database: str = Field(
        "sqlite:///studio.db",
        description="SQLAlchemy's address; postgresql+psycopg://… for several processes.",
    )
    secret: Secret = Field(description="Signs webhooks' addresses and tickets; 16 characters at least.")
    public_url: Annotated[str, StringConstraints(pattern="^https?://.*[^/]$")] | None = Field(
        None, description="This backend's address as RunPod reaches it; without it no webhooks are asked for."
    )
    offer: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="What the endpoint offers, as its own LTX2_OFFER says; default: every model, and no way "
        "beyond the plain job.",
    )
    origins: tuple[str, ...] = Field(
        (), description="Origins of pages that may call the API, as a JSON list."
    )
    job_ttl: Annotated[float, Field(ge=600, le=604_800)] = Field(
        6 * 3600.0, description="Seconds after which RunPod deletes a job, waiting or running."
    )
    resubmits: Annotated[int, Field(ge=0, le=3)] = Field(
        1,
        description="How often a job is sent again when it is not known whether RunPod took it; the worker "
        "answers one that it has made already from its record. 0: never.",
    )
    open_generations: Annotated[int, Field(ge=1)] = Field(
        20, description="Generations that one account may have under way."
    )
    previews_per_minute: Annotated[int, Field(ge=0)] = Field(
        6, description="Previews that one account may ask for in a minute; they are free GPU time."
    )
    requests_per_minute: Annotated[int, Field(ge=1)] = Field(
        600, description="Requests that one account may make in a minute, counted by each process."
    )
    streams: Annotated[int, Field(ge=1)] = Field(
        20, description="Event streams that one account may have open, counted by each process."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Of the log, in JSON."
    )
    open_films: Annotated[int, Field(ge=0)] = Field(
        3, description="Films that one account may have under way; they are free. 0: no films."
    )
    film_seconds: Annotated[int, Field(ge=1)] = Field(600, description="Seconds that a film may last.")
    film_timeout: Annotated[float, Field(gt=0)] = Field(
        3600.0, description="Seconds after which a film that is still being rendered is given up."
    )

    @field_validator("offer", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name) if isinstance(value, str) else value

    @field_validator("offer")
    @classmethod
    def _can_be_offered(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(value) - set(offered.names()):
            raise ValueError(f"{sorted(unknown)[0]!r} is none of {', '.join(offered.names())}")
        return value

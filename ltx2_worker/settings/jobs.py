"""Settings: which jobs are taken, when, and how they are made."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from ltx2_api.names import NAMES, Camera
from ltx2_api.ways import NAMES_OF_WAYS

if TYPE_CHECKING:
    RecipeOrNone = str
else:
    RecipeOrNone = Literal[("", *NAMES.qualities)]


class JobSettings(BaseSettings):
    """What a job may ask for, and how long it may take."""

    offer: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=f"What jobs may ask for, separated by commas: models ({', '.join(NAMES.families)}), "
        "else every one that is installed; ways beyond the plain job"
        f" ({', '.join(NAMES_OF_WAYS)}), else none; all: every model that is installed, "
        "and every way.",
    )
    jobs_in_hand: int = Field(
        2,
        ge=1,
        le=2,
        description="2: the next job is taken shortly before the engine is free; 1: strictly one after the "
        "other.",
    )
    take_ahead: float = Field(
        10,
        ge=0,
        allow_inf_nan=False,
        description="The next job is taken when the engine is expected to be free within so many seconds; "
        "more where media are slow to fetch.",
    )
    job_timeout: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="One deadline for every job, in seconds; default: from the job's plan.",
    )
    execution_timeout: float = Field(
        600,
        ge=60,
        allow_inf_nan=False,
        description="The endpoint's execution timeout, in seconds; deadlines stay 30 s below it.",
    )
    default_camera: Camera = Field(
        "static",
        description="The camera of a job that names none and has no control, where the model has a LoRA "
        "for it.",
    )
    pro_guidance: Literal["full", "plain"] = Field(
        "full",
        description="full: pro is guided as in Lightricks' pipelines, in four passes a step; plain: as in "
        "ComfyUI's templates, in two.",
    )
    keep_models_loaded: bool = Field(
        True,
        description="Keep the weights of every recipe of a model in memory, so that a switch loads nothing; "
        "needs the host memory for all.",
    )
    keep_all_models_loaded: bool = Field(
        False,
        description="Keep the weights of the other models in memory too; else a job with another model than "
        "the one before loads its own. Needs the host memory for every model that is offered.",
    )
    shutdown_grace: float = Field(
        30, ge=0, description="Seconds after SIGTERM until jobs still in hand are handed back as retryable."
    )
    warmup: RecipeOrNone = Field(
        "", description="Load this recipe's weights with one preview before the first job is taken."
    )
    live_previews: bool = Field(
        False, description="Send a small JPEG of the emerging video with the progress; costs a little time."
    )
    log_prompts: bool = Field(False, description="Write prompts into the log.")

    @field_validator("offer", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        return tuple(str(name).strip() for name in names) if isinstance(names, list | tuple) else names

    @field_validator("offer")
    @classmethod
    def _can_be_offered(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = ("all", *NAMES.families, *NAMES_OF_WAYS)
        if unknown := set(value) - set(known):
            raise ValueError(f"{sorted(unknown)[0]!r} is none of {', '.join(known)}")
        return value

"""What the API takes and answers of films: an edit over the caller's own videos, rendered without credits."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ltx2_client.film.edit import Decibels, Even, Loudness, Seconds, Transition

from .contract import Error

#: Clips of one film.
MOST_CLIPS = 50


class FilmState(StrEnum):
    """Where a film is."""

    QUEUED = "queued"
    RENDERING = "rendering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: States that a film does not leave.
FILM_FINAL = frozenset({FilmState.SUCCEEDED, FilmState.FAILED, FilmState.CANCELLED})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class FilmClip(_Part):
    """One clip: the video of a generation, or a part of it."""

    generation: Annotated[str, Field(max_length=36)] = Field(description="One of the caller's, with a video.")
    start: Seconds = Field(0.0, alias="in", description="Seconds of the video from which it is used.")
    end: Seconds | None = Field(None, alias="out", description="Seconds up to which it is used.")
    gain_db: Decibels = Field(0.0, description="Of its sound.")
    transition: Transition | None = Field(None, description="From the clip before it; default: a cut.")


class FilmMusic(_Part):
    """Music under the film, quieter while the clips are heard."""

    url: Annotated[str, Field(max_length=500)] = Field(description="What an upload is to be named by.")
    gain_db: Decibels = Field(-3.0, description="Beside the clips' loudness, however loud the file is.")
    duck_db: Annotated[float, Field(ge=0, le=40)] = Field(12.0, description="How far clips push it down.")
    fade_in: Seconds = 0.5
    fade_out: Seconds = 2.0
    loop: bool = True


class NewFilm(_Part):
    """A film as its author wants it."""

    clips: Annotated[list[FilmClip], Field(min_length=1, max_length=MOST_CLIPS)]
    width: Even | None = Field(None, description="With height; default: the first clip's size.")
    height: Even | None = None
    fps: Literal[24, 25, 30, 48, 50, 60] | None = Field(None, description="Default: the first clip's.")
    fade_in: Seconds = Field(0.0, description="From black.")
    fade_out: Seconds = Field(0.0, description="To black.")
    music: FilmMusic | None = None
    loudness: Loudness = Loudness()

    @model_validator(mode="after")
    def _first_has_no_transition(self) -> Self:
        if self.clips[0].transition is not None:
            raise ValueError("the first clip has no clip before it: leave its transition out")
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height are given together, or not at all")
        return self


class FilmResult(BaseModel):
    """A film's facts; the film itself is at `…/video`.

    Attributes:
        loudness: integrated, in LUFS, as measured; None for silence.
        true_peak: in dBTP, as measured.
    """

    width: int
    height: int
    fps: int
    frames: int
    duration: float
    bytes: int
    sha256: str
    loudness: float | None
    true_peak: float | None
    notes: tuple[str, ...]


class Film(BaseModel):
    """One film that somebody asked for; it costs nothing."""

    object: Literal["film"] = "film"
    id: str
    state: FilmState
    edit: NewFilm
    percent: int | None = Field(description="While it is rendered.")
    cancelling: bool
    result: FilmResult | None
    error: Error | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    seq: int = Field(description="In one order with the generations' numbers.")


class FilmPage(BaseModel):
    """Films, newest change first; `next` is the cursor of the rest."""

    items: list[Film]
    next: str | None

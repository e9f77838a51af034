"""A film as its author writes it: `film.json`, checked field by field."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ltx2_api.errors import Fault

from ..errors import BadFilm

#: How one clip becomes the next. "cut" takes no time; all others show both clips for their seconds, but for
#: the fades through black and white, which show one after the other.
TransitionKind = Literal[
    "cut",
    "crossfade",
    "dissolve",
    "fade_black",
    "fade_white",
    "wipe_left",
    "wipe_right",
    "wipe_up",
    "wipe_down",
]

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Decibels = Annotated[float, Field(ge=-60, le=20, allow_inf_nan=False)]
Even = Annotated[int, Field(ge=64, le=4096, multiple_of=2)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Transition(_Part):
    """How a clip follows the one before it."""

    kind: TransitionKind = "crossfade"
    seconds: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.5


class Clip(_Part):
    """One clip of the film: a file, or the video of a job.

    Attributes:
        file: beside film.json, or an absolute path.
        job: RunPod's id of the job whose video it is; it is downloaded.
        start, end: seconds of the clip between which it is used; default: all of it.
        gain_db: of its sound.
        transition: from the clip before it; default: a cut.
    """

    file: Annotated[str, Field(min_length=1)] | None = None
    job: Annotated[str, Field(min_length=1)] | None = None
    start: Seconds = Field(0.0, alias="in")
    end: Seconds | None = Field(None, alias="out")
    gain_db: Decibels = 0.0
    transition: Transition | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.job is None):
            raise ValueError("needs file or job, and not both")
        if self.end is not None and self.end <= self.start:
            raise ValueError("out must be later than in")
        return self


class Music(_Part):
    """Music under the film.

    Attributes:
        file: beside film.json, or an absolute path.
        gain_db: the music's loudness where the clips are silent, relative to the clips' own; however loud the
            file is.
        duck_db: by how much the clips' sound, at its mean loudness, pushes the music down.
        fade_in, fade_out: seconds, at the film's ends.
        loop: whether it begins again when it ends before the film does.
    """

    file: Annotated[str, Field(min_length=1)]
    gain_db: Decibels = -3.0
    duck_db: Annotated[float, Field(ge=0, le=40, allow_inf_nan=False)] = 12.0
    fade_in: Seconds = 0.5
    fade_out: Seconds = 2.0
    loop: bool = True


class Loudness(_Part):
    """How loud the film is in the end.

    Attributes:
        target: integrated loudness in LUFS (EBU R 128): -14 is what web platforms play at, -23 is broadcast;
            None leaves the sound as loud as it is.
        true_peak: the highest true peak, in dBTP.
    """

    target: Annotated[float, Field(ge=-40, le=-5, allow_inf_nan=False)] | None = -14.0
    true_peak: Annotated[float, Field(ge=-9, le=0, allow_inf_nan=False)] = -1.0


class Film(_Part):
    """A whole film.

    Attributes:
        clips: in the order in which they are shown.
        width, height: of the picture, in pixels; default: the first clip's.
        fps: frames per second; default: the first clip's.
        fade_in, fade_out: seconds from black at the beginning, to black at the end.
    """

    clips: Annotated[list[Clip], Field(min_length=1, max_length=500)]
    width: Even | None = None
    height: Even | None = None
    fps: Literal[24, 25, 30, 48, 50, 60] | None = None
    fade_in: Seconds = 0.0
    fade_out: Seconds = 0.0
    music: Music | None = None
    loudness: Loudness = Loudness()

    @model_validator(mode="after")
    def _sizes_and_transitions(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height are given together, or not at all")
        if self.clips[0].transition is not None:
            raise ValueError("the first clip has no clip before it: leave its transition out")
        return self


def read_film(path: Path) -> Film:
    """Read `film.json`; file names in it are taken relative to its folder.

    Raises:
        BadFilm: it cannot be read, or breaks the rules; each fault names its field.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadFilm(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except ValueError as error:
        raise BadFilm(f"{path} is not JSON: {error}.") from error
    film = parse_film(raw)

    def placed(name: str) -> str:
        return str(path.parent / name)

    clips = [
        clip.model_copy(update={"file": placed(clip.file)}) if clip.file else clip for clip in film.clips
    ]
    music = film.music and film.music.model_copy(update={"file": placed(film.music.file)})
    return film.model_copy(update={"clips": clips, "music": music})


def parse_film(raw: object) -> Film:
    """Check a film.

    Raises:
        BadFilm: every fault, with its field.
    """
    try:
        # JSON has one kind of number: a whole one is a number of seconds, too.
        return Film.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        faults = tuple(
            Fault(".".join(map(str, detail["loc"])) or "film", _sentence(str(detail["msg"])))
            for detail in error.errors(include_url=False, include_input=False)
        )
        raise BadFilm(" ".join(f"{fault.field}: {fault.message}" for fault in faults), faults) from None


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{'must be ' if text != message and 'Input' in message else ''}{text}."

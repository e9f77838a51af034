"""Sound that is given: speech or music drives the picture, and is what the file plays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ..inputs import Input, MediaText
from ..rules import Rule
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields


class AudioInputFields(Input):
    """The fields of this way."""

    audio_url: MediaText | None = Field(
        None,
        description="http(s) URL of the sound that drives the video and is heard in it, or s3://. "
        f"{only_with('audio_input')}",
    )
    audio_base64: MediaText | None = Field(
        None, description=f"That sound as base64 or data URI. {only_with('audio_input')}"
    )
    audio_start: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        0.0, description=f"Second of the sound at which the video begins. {only_with('audio_input')}"
    )

    @property
    def has_sound(self) -> bool:
        """Whether a sound was sent."""
        return self.has("audio")


def _asked_by(job: "JobFields") -> str | None:
    given = ("audio_url", "audio_base64", "audio_start")
    return next((field for field in given if job.given(field)), None)


def _rules(job: "JobFields") -> Iterator[Rule]:
    sound = frozenset({"audio_url", "audio_base64"})
    yield Rule(
        job.given("audio_start") and not job.has_sound,
        "audio_start",
        "audio_start needs a sound: send audio_url or audio_base64.",
        sound,
    )
    yield Rule(
        job.has_sound and not job.audio,
        "audio",
        "audio false leaves out the sound that was sent: leave out one of the two.",
        sound | {"audio"},
    )


WAY = Way(
    name="audio_input",
    description="Speech or music that is sent drives the picture, and is heard in the file.",
    fields=("audio_url", "audio_base64", "audio_start"),
    asked_by=_asked_by,
    rules=_rules,
)

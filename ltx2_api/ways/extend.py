"""A video goes on, or begins earlier."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..inputs import WHOLE, Input, MediaText
from ..rules import Rule
from . import source
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields

#: With the two seconds that the model is shown, what it makes in one piece.
MOST_SECONDS = 18


class ExtendInput(Input):
    """The video that is extended."""

    video_url: MediaText | None = Field(
        None, description="http(s) URL of the video, or s3:// as for the image."
    )
    video_base64: MediaText | None = Field(None, description="The video as base64 or data URI.")
    seconds: Annotated[int, Field(ge=1, le=MOST_SECONDS), WHOLE] = Field(
        5, description="Seconds to add; 1 in a preview."
    )
    # The contract's word is one of Python's own.
    from_: Literal["end", "start"] = Field(
        "end", alias="from", description="end: what comes after it; start: what came before."
    )


class ExtendFields(Input):
    """The field of this way."""

    extend: ExtendInput | None = Field(
        None,
        description="A video that is made longer: its own frames and sound stay, the new ones join them. "
        f"{only_with('extend')}",
    )


def _asked_by(job: "JobFields") -> str | None:
    return "extend" if job.extend is not None else None


def _rules(job: "JobFields") -> Iterator[Rule]:
    yield from source.rules(job, "extend")


def _seconds(job: "JobFields") -> float | None:
    return job.extend.seconds if job.extend else None


def _preview(job: "JobFields") -> str | None:
    if job.extend is None or job.extend.seconds == 1 or not job.extend.given("seconds"):
        return None
    return "A preview adds 1 s: extend.seconds has no effect on it."


WAY = Way(
    name="extend",
    description="A video is made longer, at its end or at its beginning.",
    fields=("extend",),
    asked_by=_asked_by,
    rules=_rules,
    seconds=_seconds,
    preview=_preview,
)

"""Another look over the motion of a video."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ..inputs import Input, MediaText
from ..rules import Rule
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields


class RestyleInput(Input):
    """The video that is made anew."""

    video_url: MediaText | None = Field(
        None, description="http(s) URL of the video, or s3:// as for the image."
    )
    video_base64: MediaText | None = Field(None, description="The video as base64 or data URI.")
    strength: Annotated[float, Field(ge=0.1, le=1, allow_inf_nan=False)] = Field(
        0.8, description="Share of noise that sampling starts from; at 1 nothing is left of the video."
    )


class RestyleFields(Input):
    """The field of this way."""

    restyle: RestyleInput | None = Field(
        None,
        description="A video whose motion is kept and whose look is made anew, as long as duration; its "
        f"sound stays. {only_with('restyle')}",
    )


def _asked_by(job: "JobFields") -> str | None:
    return "restyle" if job.restyle is not None else None


def _rules(job: "JobFields") -> Iterator[Rule]:
    yield Rule(
        job.restyle is not None and not job.restyle.has("video"),
        "restyle.video_url",
        "restyle needs a video: send restyle.video_url or restyle.video_base64.",
        frozenset({"restyle"}),
    )


WAY = Way(
    name="restyle",
    description="Another look over the motion of a video, with or without a control.",
    fields=("restyle",),
    asked_by=_asked_by,
    rules=_rules,
)

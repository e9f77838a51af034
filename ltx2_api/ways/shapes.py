"""Portrait, square and wide pictures."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..inputs import Input
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields

Aspect = Literal["16:9", "9:16", "1:1", "21:9"]


class ShapesFields(Input):
    """The field of this way."""

    aspect: Aspect = Field(
        "16:9",
        description="Shape of the video. 9:16: 720x1280 or 1080x1920; 1:1: 720x720 or 1080x1080; "
        f"21:9: 1472x632 or 1920x824. {only_with('shapes')}",
    )


def _asked_by(job: "JobFields") -> str | None:
    return "aspect" if job.aspect != "16:9" else None


WAY = Way(
    name="shapes",
    description="Portrait, square and wide videos.",
    fields=("aspect",),
    asked_by=_asked_by,
)

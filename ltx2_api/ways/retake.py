"""A span of a video anew: its picture, its sound, or both."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..inputs import Input, MediaText
from ..rules import Rule
from . import source
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields

#: With the two seconds on both sides that the model is shown, what it makes in one piece.
MOST_SECONDS = 15
#: Shorter spans are one latent frame in any case.
LEAST_SECONDS = 1 / 24

Second = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class RetakeInput(Input):
    """The video of which a span is made anew."""

    video_url: MediaText | None = Field(
        None, description="http(s) URL of the video, or s3:// as for the image."
    )
    video_base64: MediaText | None = Field(None, description="The video as base64 or data URI.")
    # The contract's word is one of Python's own.
    from_: Second = Field(alias="from", description="Second at which the span begins.")
    to: Second = Field(
        description="Second at which it ends; up to a third of a second more is made anew, as the reply says."
    )
    what: Literal["both", "video", "audio"] = Field("both", description="What is made anew.")


class RetakeFields(Input):
    """The field of this way."""

    retake: RetakeInput | None = Field(
        None,
        description=f"A video of which up to {MOST_SECONDS} s are made anew, the rest untouched. "
        f"{only_with('retake')}",
    )


def _asked_by(job: "JobFields") -> str | None:
    return "retake" if job.retake is not None else None


def _rules(job: "JobFields") -> Iterator[Rule]:
    yield from source.rules(job, "retake")
    retake = job.retake
    length = retake.to - retake.from_ if retake else 1.0
    alone = frozenset({"retake"})
    yield Rule(length < LEAST_SECONDS - 1e-6, "retake.to", "retake.to must be after retake.from.", alone)
    yield Rule(
        length > MOST_SECONDS + 1e-6,
        "retake.to",
        f"retake.to must be {MOST_SECONDS} s after retake.from at most.",
        alone,
    )
    yield Rule(
        retake is not None and retake.what == "audio" and not job.audio,
        "audio",
        "audio false leaves nothing of a retake of the sound: leave out one of the two.",
        alone | {"audio"},
    )


def _seconds(job: "JobFields") -> float | None:
    return round(job.retake.to - job.retake.from_, 6) if job.retake else None


def _preview(job: "JobFields") -> str | None:
    if job.retake is None or job.retake.to - job.retake.from_ <= 1:
        return None
    return "A preview makes the first second of the span anew: retake.to has no effect on it."


WAY = Way(
    name="retake",
    description="A span of a video is made anew, the rest stays.",
    fields=("retake",),
    asked_by=_asked_by,
    rules=_rules,
    seconds=_seconds,
    preview=_preview,
)

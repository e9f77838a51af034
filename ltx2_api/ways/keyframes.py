"""Pictures that the video comes to: at its end, and at seconds in between."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ..inputs import Input, MediaText, Strength
from ..names import NAMES
from ..rules import Rule
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields

#: Seconds between two pictures: eight frames, one latent frame, cannot hold two.
LEAST_APART = 1 / 3
MOST = 8


class Keyframe(Input):
    """A picture at a second of the video."""

    at: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = Field(
        description="Seconds from the beginning; in a preview, the same share of its one second."
    )
    image_url: MediaText | None = Field(
        None, description="http(s) URL of the picture, or s3:// as for the start image."
    )
    image_base64: MediaText | None = Field(None, description="The picture as base64 or data URI.")
    strength: Strength | None = Field(
        None, description=f"How hard the video is drawn to it. Default: {NAMES.keyframe_strengths}."
    )


class KeyframesFields(Input):
    """The fields of this way."""

    end_image_url: MediaText | None = Field(
        None,
        description="http(s) URL of the picture that the video ends with, or s3://. "
        f"{only_with('keyframes')}",
    )
    end_image_base64: MediaText | None = Field(
        None, description=f"That picture as base64 or data URI. {only_with('keyframes')}"
    )
    end_image_strength: Strength | None = Field(
        None,
        description=f"How hard the video is drawn to its end image. Default: {NAMES.keyframe_strengths}. "
        f"{only_with('keyframes')}",
    )
    keyframes: Annotated[tuple[Keyframe, ...], Field(min_length=1, max_length=MOST)] | None = Field(
        None,
        description=f"Up to {MOST} pictures at seconds of the video, a third of a second apart at least. "
        f"{only_with('keyframes')}",
    )

    @property
    def has_end_image(self) -> bool:
        """Whether a picture was sent that the video ends with."""
        return self.has("end_image")


def _asked_by(job: "JobFields") -> str | None:
    if job.keyframes is not None:
        return "keyframes"
    given = ("end_image_url", "end_image_base64", "end_image_strength")
    return next((field for field in given if job.given(field)), None)


def _rules(job: "JobFields") -> Iterator[Rule]:
    end = frozenset({"end_image_url", "end_image_base64"})
    yield Rule(
        job.given("end_image_strength") and not job.has_end_image,
        "end_image_strength",
        "end_image_strength needs an end image: send end_image_url or end_image_base64.",
        end,
    )
    involved = end | {"keyframes", "duration"}
    times = [frame.at for frame in job.keyframes or ()]
    for number, frame in enumerate(job.keyframes or ()):
        where = f"keyframes.{number}"
        yield Rule(
            not frame.has("image"),
            f"{where}.image_url",
            f"{where} needs a picture: send image_url or image_base64 in it.",
            involved,
        )
        yield Rule(
            frame.at > job.duration,
            f"{where}.at",
            f"{where}.at must be within the video's {job.duration} s.",
            involved,
        )
    # The start image has its place however weak it is; without one nothing is at 0.
    taken = sorted([0.0, *times, *([float(job.duration)] if job.has_end_image else [])])
    yield Rule(
        bool(times) and any(later - before < LEAST_APART - 1e-6 for before, later in pairwise(taken)),
        "keyframes",
        "keyframes must be a third of a second apart at least, from the beginning (whose picture is "
        "image_url) and from the end image too.",
        involved,
    )


WAY = Way(
    name="keyframes",
    description="Pictures that the video comes to: an end image, and keyframes at seconds.",
    fields=("end_image_url", "end_image_base64", "end_image_strength", "keyframes"),
    asked_by=_asked_by,
    rules=_rules,
)

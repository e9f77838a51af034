"""What a reply says of the frames of a video that was sent, and of where new ones meet them."""

from collections.abc import Iterator, Sequence

from ltx2_api.reply import KeptFrames, Seam

from .engine import Encoded
from .plan import Plan

#: How much further apart two frames must be than their neighbours for a cut to be seen: a tenth of all levels
#: of luma, as FFmpeg's detector of scene changes has it by default (libavfilter's `scdet`).
_CUT = 25.6


def kept_frames(plan: Plan) -> KeptFrames | None:
    """How many frames stay; None without a video that was sent."""
    splice = plan.splice
    return KeptFrames(copied=splice.copied, encoded=splice.kept - splice.copied) if splice else None


def seams(plan: Plan, encoded: Encoded) -> tuple[Seam, ...]:
    """The joins, as the encoder measured them."""
    return tuple(
        Seam(at=round(seam.frame / plan.fps, 3), difference=seam.difference, inside=seam.inside)
        for seam in encoded.seams
    )


def jumps(found: Sequence[Seam]) -> Iterator[str]:
    """A warning for each join that is seen as a cut."""
    for seam in found:
        if seam.difference - (seam.inside or 0) >= _CUT:
            yield f"At second {seam.at:g} the picture jumps: the new frames do not continue the video there."

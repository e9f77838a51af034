"""Extending a video, and making a span of it anew: new frames among those of a source.

How many frames the source has is known when it is there. Until then the plan says what is generated at most.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ltx2_api.job import JobInput

from ...catalog.inputs import Feature
from ...splice import Splice, behind, between, in_front
from ..parts import HeldSound, HeldVideo
from ..plan import Plan
from ..refusals import no_such_field, refused

#: Frames of a source before it is there: more than the second at which a span can end (retake.to).
_UNKNOWN = 100_000


def planned(job: JobInput, plan: Plan) -> Plan:
    """Make new frames for a video that is sent."""
    way = "extend" if job.extend else "retake"
    if job.extend is None and job.retake is None:
        return plan
    if not (plan.recipe.offers(Feature.HELD_AGAIN) and plan.recipe.offers(Feature.HELD_SOUND)):
        raise no_such_field(way, plan.recipe)
    cut = _cut(job, plan)
    assumed = spliced(replace(plan, cut=cut), cut(_UNKNOWN), has_sound=True)
    # What is paid for and estimated is new; how long the whole is, the source says.
    return replace(assumed, frames=assumed.splice.new if assumed.splice else plan.frames)


def spliced(plan: Plan, splice: Splice, *, has_sound: bool) -> Plan:
    """Return the plan with the numbers of a splice.

    Arguments:
        has_sound: whether the source has a sound that is held.
    """
    first, last = splice.new_latents
    keeps_sound = splice.new_sound[0] == splice.new_sound[1]
    held_sound = HeldSound(splice.sound_begins, *splice.new_sound, is_heard=keeps_sound)
    return replace(
        plan,
        splice=splice,
        frames=splice.frames,
        base_frames=splice.generated,
        seconds=max(1, round(splice.new / plan.base_fps)),
        held_video=HeldVideo(splice.at, splice.lead, first, last, in_both_stages=True),
        held_sound=held_sound if plan.audio and has_sound else None,
        audio=plan.audio and (has_sound or not keeps_sound),
    )


def _cut(job: JobInput, plan: Plan) -> Callable[[int], Splice]:
    """What is made of a source with a number of frames; a preview makes one second."""
    if extend := job.extend:
        seconds = 1 if job.preview else extend.seconds
        return partial(extended, seconds=seconds, at_end=extend.from_ == "end")
    assert job.retake is not None
    retake, fps = job.retake, plan.base_fps
    to = min(retake.to, retake.from_ + 1) if job.preview else retake.to
    return partial(
        retaken,
        first=round(retake.from_ * fps),
        last=max(round(retake.from_ * fps) + 1, round(to * fps)),
        picture=retake.what != "audio",
        sound=retake.what != "video",
    )


def extended(frames: int, *, seconds: int, at_end: bool) -> Splice:
    """Extend a source, at its end or its beginning.

    Raises:
        WorkerError: INVALID_INPUT, it is too short to begin earlier.
    """
    if at_end:
        return behind(frames, seconds)
    if frames < 8:
        raise refused("extend.from", "extend.from start needs a video of a third of a second at least.")
    return in_front(frames, seconds)


def retaken(frames: int, *, first: int, last: int, picture: bool, sound: bool) -> Splice:
    """Make a span of a source anew.

    Raises:
        WorkerError: INVALID_INPUT, the span is not within the source.
    """
    # A span to the end, as a player shows it, may be a frame beyond.
    for field, is_beyond in (("retake.from", first >= frames), ("retake.to", last > frames + 1)):
        if is_beyond:
            raise refused(field, f"{field} must be within the video's {frames / 24:.2f} s.")
    return between(frames, first, min(last, frames), picture=picture, sound=sound)

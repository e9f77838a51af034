"""Rules of the ways that put new frames among those of a video."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..rules import Rule

if TYPE_CHECKING:
    from ..fields import JobFields

#: What makes no sense beside a video whose frames stay, and why.
NOT_BESIDE = {
    "duration": "the video itself says how long it is",
    "image_url": "the video itself says how it begins",
    "image_base64": "the video itself says how it begins",
    "image_strength": "the video itself says how it begins",
    "end_image_url": "keyframes go with a video that is made in full",
    "end_image_base64": "keyframes go with a video that is made in full",
    "keyframes": "keyframes go with a video that is made in full",
    "control": "a control goes with a video that is made in full",
    "temporal_upscaler": "the frames that stay have their own rate",
    "detailer": "the frames that stay are not detailed",
    "audio_url": "the sound goes on as the video's does",
    "audio_base64": "the sound goes on as the video's does",
    "restyle": "a job works on one video",
    "retake": "a job works on one video",
}


def rules(job: "JobFields", way: str) -> Iterator[Rule]:
    """The rules of a way that has a video.

    Arguments:
        way: its field.
    """
    part = getattr(job, way)
    if part is None:
        return
    yield Rule(
        not part.has("video"),
        f"{way}.video_url",
        f"{way} needs a video: send {way}.video_url or {way}.video_base64.",
        frozenset({way}),
    )
    yield Rule(
        job.mode == "i2v",
        "mode",
        f"mode i2v does not go with {way}: it starts from the video, not from an image.",
        frozenset({"mode", way}),
    )
    for field, why in NOT_BESIDE.items():
        if field != way:
            asked = job.given(field) and getattr(job, field) is not False
            yield Rule(asked, field, f"{field} does not go with {way}: {why}.", frozenset({field, way}))

"""Pictures of the finished video: a poster JPEG, and a small animated WebP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.video.frame import VideoFrame
from PIL import Image

from ..errors import ErrorCode, WorkerError
from ..limits import Limits

_JPEG_QUALITY = 88
#: The animation: so many pictures, spread over the whole video, of this width, this long each.
_PICTURES, _WIDTH, _MILLISECONDS = 40, 320, 125
#: Enough to be quick; every further thread holds one more frame in memory.
_THREADS = 4


def poster(video: Path, target: Path, limits: Limits) -> None:
    """Write the frame in the middle of a video as a JPEG of the video's size.

    Raises `WorkerError(GENERATION_FAILED)` if the video cannot be decoded, and what `limits.check` raises.
    """
    with _decoder(video) as (frames, count):
        middle = _nth(frames, count // 2, limits)
        _picture(middle).save(target, "JPEG", quality=_JPEG_QUALITY, optimize=True)


def animation(video: Path, target: Path, limits: Limits) -> None:
    """Write a small animated WebP that shows the whole video in a few seconds; raises as `poster`."""
    pictures: list[Image.Image] = []
    with _decoder(video) as (frames, count):
        every = max(1, count // _PICTURES)
        for number, frame in enumerate(frames):
            limits.check()
            if number % every == 0 and len(pictures) < _PICTURES:
                pictures.append(_picture(frame, _WIDTH))
        if not pictures:
            raise _undecodable()
    first, *others = pictures
    first.save(
        target,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=_MILLISECONDS,
        loop=0,
        quality=60,
        method=2,
    )


@contextmanager
def _decoder(video: Path) -> Iterator[tuple[Iterator[VideoFrame], int]]:
    """Give a video's frames, from the first, and how many its index says there are."""
    try:
        with av.open(str(video), mode="r") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = _THREADS
            stream.thread_type = "AUTO"
            yield container.decode(stream), stream.frames
    except (av.FFmpegError, OSError, IndexError) as error:
        raise _undecodable() from error


def _nth(frames: Iterator[VideoFrame], number: int, limits: Limits) -> VideoFrame:
    """Return frame `number`, or the last one of a video with fewer.

    Decoded from the start: an H.264 file of this length often has its first key frame only.
    """
    frame: VideoFrame | None = None
    for index, frame in enumerate(frames):  # noqa: B007 - the frame that the loop ended at is the result
        limits.check()
        if index >= number:
            break
    if frame is None:
        raise _undecodable()
    return frame


def _picture(frame: VideoFrame, width: int | None = None) -> Image.Image:
    width = width or frame.width
    height = max(1, round(frame.height * width / frame.width))
    picture: Image.Image = frame.to_image(width=width, height=height)  # type: ignore[no-untyped-call]
    return picture


def _undecodable() -> WorkerError:
    return WorkerError(
        ErrorCode.GENERATION_FAILED,
        "The engine's video cannot be decoded; send the job again.",
        retryable=True,
    )

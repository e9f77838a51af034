"""Pictures of the finished video: a poster JPEG, and a small animated WebP."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline

_JPEG_QUALITY = 88
#: The animation: so many pictures, spread over the whole video, of this width, this long each.
_PICTURES, _WIDTH, _MILLISECONDS = 40, 320, 125
#: Enough to be quick; every further thread holds one more frame in memory.
_THREADS = 4


def poster(video: Path, target: Path, deadline: Deadline) -> None:
    """Write the frame in the middle of a video as a JPEG of the video's size.

    Raises `WorkerError(GENERATION_FAILED)` if the video cannot be decoded, and what `deadline.check` raises.
    """
    with _opened(video) as (container, stream):
        middle = _frame_at(container, stream, stream.frames // 2, deadline)
        _picture(middle).save(target, "JPEG", quality=_JPEG_QUALITY, optimize=True)


def animation(video: Path, target: Path, deadline: Deadline) -> None:
    """Write a small animated WebP that shows the whole video in a few seconds; raises as `poster`."""
    pictures: list[Image.Image] = []
    with _opened(video) as (container, stream):
        every = max(1, stream.frames // _PICTURES)
        for number, frame in enumerate(container.decode(stream)):
            deadline.check()
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
def _opened(video: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video for decoding; what fails in the block is reported as a video that cannot be decoded."""
    try:
        with av.open(str(video), mode="r") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = _THREADS
            stream.thread_type = "AUTO"
            yield container, stream
    except (av.FFmpegError, OSError, IndexError, ZeroDivisionError) as error:
        raise _undecodable() from error


def _frame_at(container: InputContainer, stream: VideoStream, number: int, deadline: Deadline) -> VideoFrame:
    """Return frame `number` of a video of constant frame rate, or the last one of a video with fewer.

    An H.264 file of this length often has its first key frame only. On the way from there, frames that no
    other refers to are not decoded.
    """
    time_base = stream.time_base or Fraction(0)
    ticks = 1 / Fraction(stream.average_rate or 0) / time_base  # of one frame
    wanted = (stream.start_time or 0) + int(number * ticks)
    container.seek(wanted, stream=stream, backward=True)
    frame: VideoFrame | None = None
    for packet in container.demux(stream):
        deadline.check()
        is_before = packet.pts is not None and packet.pts < wanted
        stream.codec_context.skip_frame = "NONREF" if is_before else "DEFAULT"
        for frame in packet.decode():
            if frame.pts is not None and frame.pts >= wanted:
                return frame
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

"""The finished MP4: what it is, by its index; nothing here decodes."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from ltx2_api.errors import ErrorCode, WorkerError


@dataclass(frozen=True)
class VideoFacts:
    """What an MP4 is, by its index.

    Arguments:
        width: in pixels.
        height: in pixels.
        fps: frames per second, on average.
        frames: video frames in the file.
        duration: the video stream's length in seconds.
        audio: whether there is a sound track.
        audio_duration: its length in seconds, 0 without one.
        bytes: the file's size.
        codec: the video's, such as h264.
        pixel_format: such as yuv420p.
        moov_first: whether the index precedes the frames, so that playing starts before all is loaded.
    """

    width: int
    height: int
    fps: Fraction
    frames: int
    duration: float
    audio: bool
    audio_duration: float
    bytes: int
    codec: str
    pixel_format: str
    moov_first: bool


def inspect(path: Path) -> VideoFacts:
    """Return what a file is, without decoding it.

    Raises `WorkerError(GENERATION_FAILED)` if it is no complete MP4 with a video in it.
    """
    try:
        size = path.stat().st_size
        kinds = [kind for kind, _ in _boxes(path, size)]
        with av.open(str(path), mode="r") as container:
            video = container.streams.video[0]
            sound = container.streams.audio[0] if container.streams.audio else None
            return VideoFacts(
                width=video.width,
                height=video.height,
                fps=Fraction(video.average_rate or 0),
                frames=video.frames,
                duration=_seconds(video.duration, video.time_base),
                audio=sound is not None,
                audio_duration=_seconds(sound.duration, sound.time_base) if sound else 0.0,
                bytes=size,
                codec=video.codec_context.name,
                pixel_format=video.pix_fmt or "",
                moov_first=kinds.index(b"moov") < kinds.index(b"mdat"),
            )
    except (av.FFmpegError, OSError, IndexError, ValueError) as error:
        raise _unusable() from error


def _boxes(path: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield type and length of the MP4's outermost boxes (ISO/IEC 14496-12); ValueError if one is cut."""
    with path.open("rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            elif length == 0:
                length = size - offset
            if length < 8 or offset + length > size:
                raise ValueError("a box reaches beyond the end of the file")
            yield kind, length
            offset += length


def _seconds(duration: int | None, time_base: Fraction | None) -> float:
    return float((duration or 0) * (time_base or 0))


def _unusable() -> WorkerError:
    return WorkerError(
        ErrorCode.GENERATION_FAILED,
        "The file that was made is not a complete MP4; send the job again.",
        retryable=True,
    )

"""A stranger's video, read frame by frame: of allowed containers and codecs, and from no other file."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NoReturn

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ltx2_api.errors import ErrorCode, WorkerError

from .image import HEIC_BRANDS

ALLOWED = "an MP4, MOV, WebM or MKV video in H.264, H.265, VP9 or AV1"
CODECS = frozenset({"h264", "hevc", "vp9", "av1"})

#: First boxes of a QuickTime or MP4 file, ISO/IEC 14496-12 and Apple's QuickTime File Format.
_QUICKTIME_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
#: Matroska and WebM are EBML, RFC 8794.
_EBML = b"\x1aE\xdf\xa3"

#: Enough to keep up with an encoder; more would only hold more frames in memory.
THREADS = 4
#: Reads and seeks that a demuxer may make, besides one for each kilobyte of the file. An undamaged file
#: needs at most two for each sample.
CALLS = 100_000
#: A file whose video ends this much before its header says has lost its end (share, and seconds).
_SHORT_SHARE, _SHORT_SECONDS = 0.9, 1.0


class _Metered:
    """A file that allows a number of reads and seeks, and then behaves as if it were at its end.

    FFmpeg's demuxer (mov, libavformat 62.12) can seek to and fro for ever over a damaged index.
    """

    def __init__(self, file: BinaryIO, calls: int) -> None:
        self._file, self._left = file, calls

    @property
    def spent(self) -> bool:
        return self._left <= 0

    def read(self, size: int) -> bytes:
        self._left -= 1
        return b"" if self.spent else self._file.read(size)

    def seek(self, offset: int, whence: int) -> int:
        self._left -= 1
        return -1 if self.spent else self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class Clip:
    """One video stream, decoded as it is iterated.

    Attributes:
        width, height: of the stored picture, in pixels.
        pixel_aspect: width of a stored pixel by its height.
        declared: seconds the file says it lasts, None if it does not say.
        end: seconds decoded so far.
        finished: whether all of it has been decoded.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, file: _Metered, field: str, max_seconds: float
    ) -> None:
        self.width, self.height = stream.codec_context.width, stream.codec_context.height
        self.pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
        self.declared = _declared_seconds(container, stream)
        self.end = 0.0
        self.finished = False
        self._container, self._stream, self._file = container, stream, file
        self._field, self._max_seconds = field, max_seconds

    def frames(self) -> Iterator[tuple[float, VideoFrame]]:
        """Seconds since the first frame, always growing, and the frame.

        Raises:
            WorkerError: MEDIA_REJECTED when the video is damaged, cut off, too long or empty.
        """
        first, last, shown, stalled = 0.0, -1.0, 0, 0
        for frame in self._decoded():
            if frame.pts is None or frame.time_base is None:
                _reject(self._field, "has frames without timestamps")
            if (frame.width, frame.height) != (self.width, self.height):
                _reject(self._field, "changes its size midway")
            if not shown:
                first = frame.time
            seconds = frame.time - first
            if seconds > self._max_seconds:
                _reject(self._field, f"is longer than {self._max_seconds:g} s")
            if seconds <= last:  # a few are common, and players skip them too
                stalled += 1
                if stalled > 10 and stalled > shown:
                    _reject(self._field, "has timestamps that do not advance")
                continue
            last, shown = seconds, shown + 1
            self.end = seconds + (seconds / (shown - 1) if shown > 1 else 0)
            yield seconds, frame
        self.finished = True
        if self._file.spent:
            _reject(self._field, "is damaged or incomplete")
        if not shown:
            _reject(self._field, "holds no picture")
        if self.declared and self.end < self.declared * _SHORT_SHARE - _SHORT_SECONDS:
            _reject(self._field, "is cut off before its end")

    def _decoded(self) -> Iterator[VideoFrame]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    _reject(self._field, "is damaged or incomplete")
                yield from self._stream.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            _reject(self._field, "is damaged or incomplete", error)


@contextmanager
def open_clip(source: Path, field: str, max_seconds: float, max_side: int) -> Iterator[Clip]:
    """Open a video whose first bytes, container, codec, size and length are all allowed.

    Arguments:
        source: the file as it came.
        field: the input field it came in, for messages.
        max_seconds: longer videos are refused.
        max_side: larger ones too, in pixels.

    Raises:
        WorkerError: MEDIA_REJECTED.
    """
    with source.open("rb") as file:
        demuxer = _demuxer(file.read(16))
        if demuxer is None:
            _reject(field, f"must be {ALLOWED}")
        file.seek(0)
        metered = _Metered(file, CALLS + source.stat().st_size // 1024)
        try:
            # From an open file, by a named demuxer: a playlist is not recognised, and what would open
            # another file or URL is refused.
            container = av.open(
                metered, "r", format=demuxer, io_open=_open_nothing, metadata_errors="replace"
            )
        except (av.FFmpegError, ValueError) as error:
            _reject(field, f"is damaged: it must be {ALLOWED}", error)
        with container:
            stream = _video_stream(container, field, max_side)
            clip = Clip(container, stream, metered, field, max_seconds)
            if clip.declared and clip.declared > max_seconds:
                _reject(field, f"is {clip.declared:.0f} s long; at most {max_seconds:g} s are allowed")
            yield clip


def _demuxer(head: bytes) -> str | None:
    """FFmpeg's name of the demuxer that a file's first bytes call for, if its format is an allowed one."""
    if head[4:8] in _QUICKTIME_BOXES and head[8:12] not in HEIC_BRANDS | {b"avif"}:
        return "mov"
    return "matroska" if head.startswith(_EBML) else None


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a video refers to another file")


def _video_stream(container: InputContainer, field: str, max_side: int) -> VideoStream:
    streams = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if len(streams) != 1:
        _reject(field, f"must have exactly one video stream, not {len(streams)}")
    stream = streams[0]
    codec = stream.codec_context
    if codec is None or codec.codec.canonical_name not in CODECS:
        _reject(field, f"is in a codec that is not allowed: it must be {ALLOWED}")
    if not (codec.width and codec.height and stream.time_base):
        _reject(field, f"is damaged: it must be {ALLOWED}")
    if max(codec.width, codec.height) > max_side:
        _reject(field, f"is {codec.width}x{codec.height}; at most {max_side} pixels a side are allowed")
    if not Fraction(1, 8) <= (stream.sample_aspect_ratio or 1) <= 8:
        _reject(field, "has pixels of an absurd shape")
    codec.thread_count = THREADS
    codec.options = {"max_pixels": str(max_side * max_side)}
    return stream


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and container.duration > 0:
        return container.duration / av.time_base
    return None


def _reject(field: str, what: str, cause: Exception | None = None) -> NoReturn:
    raise WorkerError(ErrorCode.MEDIA_REJECTED, f"{field} {what}.", field=field) from cause

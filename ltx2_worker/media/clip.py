"""A stranger's video, read frame by frame: of allowed containers and codecs, and from no other file."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .container import Metered, opened, reject, video_demuxer

ALLOWED = "an MP4, MOV, WebM or MKV video in H.264, H.265, VP9 or AV1"
CODECS = frozenset({"h264", "hevc", "vp9", "av1"})

#: Enough to keep up with an encoder; more would only hold more frames in memory.
THREADS = 4
#: A file whose video ends this much before its header says has lost its end (share, and seconds).
_SHORT_SHARE, _SHORT_SECONDS = 0.9, 1.0


class Clip:
    """One video stream, decoded as it is iterated.

    Attributes:
        width, height: of the stored picture, in pixels.
        pixel_aspect: width of a stored pixel by its height.
        declared: seconds the file says it lasts, None if it does not say.
        end: seconds decoded so far.
        finished: whether all of it has been decoded.
        parameters: the codec's, as the file has them: of H.264 in an MP4 the `avcC` box.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, file: Metered, field: str, max_seconds: float
    ) -> None:
        self.width, self.height = stream.codec_context.width, stream.codec_context.height
        self.pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
        self.declared = _declared_seconds(container, stream)
        self.end = 0.0
        self.finished = False
        self.parameters = bytes(stream.codec_context.extradata or b"")
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
                reject(self._field, "has frames without timestamps")
            if (frame.width, frame.height) != (self.width, self.height):
                reject(self._field, "changes its size midway")
            if not shown:
                first = frame.time
            seconds = frame.time - first
            if seconds > self._max_seconds:
                reject(self._field, f"is longer than {self._max_seconds:g} s")
            if seconds <= last:  # a few are common, and players skip them too
                stalled += 1
                if stalled > 10 and stalled > shown:
                    reject(self._field, "has timestamps that do not advance")
                continue
            last, shown = seconds, shown + 1
            self.end = seconds + (seconds / (shown - 1) if shown > 1 else 0)
            yield seconds, frame
        self.finished = True
        if self._file.spent:
            reject(self._field, "is damaged or incomplete")
        if not shown:
            reject(self._field, "holds no picture")
        if self.declared and self.end < self.declared * _SHORT_SHARE - _SHORT_SECONDS:
            reject(self._field, "is cut off before its end")

    def packets(self) -> "Iterator[Packet[VideoStream]]":
        """What the file holds of the video, in its order, and not decoded; instead of `frames`.

        Raises:
            WorkerError: MEDIA_REJECTED when the file is damaged.
        """
        try:
            yield from (packet for packet in self._container.demux(self._stream) if packet.size)
        except (av.FFmpegError, ValueError) as error:
            reject(self._field, "is damaged or incomplete", error)

    def _decoded(self) -> Iterator[VideoFrame]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    reject(self._field, "is damaged or incomplete")
                yield from self._stream.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            reject(self._field, "is damaged or incomplete", error)


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
    with opened(source, field, ALLOWED, video_demuxer) as (container, file):
        stream = _video_stream(container, field, max_side)
        clip = Clip(container, stream, file, field, max_seconds)
        if clip.declared and clip.declared > max_seconds:
            reject(field, f"is {clip.declared:.0f} s long; at most {max_seconds:g} s are allowed")
        yield clip


def _video_stream(container: InputContainer, field: str, max_side: int) -> VideoStream:
    streams = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if len(streams) != 1:
        reject(field, f"must have exactly one video stream, not {len(streams)}")
    stream = streams[0]
    codec = stream.codec_context
    if codec is None or codec.codec.canonical_name not in CODECS:
        reject(field, f"is in a codec that is not allowed: it must be {ALLOWED}")
    if not (codec.width and codec.height and stream.time_base):
        reject(field, f"is damaged: it must be {ALLOWED}")
    if max(codec.width, codec.height) > max_side:
        reject(field, f"is {codec.width}x{codec.height}; at most {max_side} pixels a side are allowed")
    if not Fraction(1, 8) <= (stream.sample_aspect_ratio or 1) <= 8:
        reject(field, "has pixels of an absurd shape")
    # Slices that are decoded side by side tell of no errors (libavcodec's h264dec.c, `enable_er`).
    codec.thread_type, codec.thread_count = "FRAME", THREADS
    codec.options = {"max_pixels": str(max_side * max_side)}
    return stream


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and container.duration > 0:
        return container.duration / av.time_base
    return None

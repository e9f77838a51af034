"""A piece of H.264 in an MP4, being written: of frames, or of packets that are H.264 already."""

import io
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame

from .clip import THREADS
from .control import BT709, LIMITED

#: As the encoder of new frames has it (engine_nodes/encoder/mp4.py), which refuses other parameter sets.
KEY_FRAME_SECONDS = 2
#: Before at most so many frames comes one that is shown after them, as that encoder assumes.
REORDERED = 2
_START_CODE = b"\0\0\0\1"


def delivered(crf: float) -> dict[str, str]:
    """The options of what is put between the new frames, as their encoder has them."""
    return {"crf": str(crf), "x264-params": "stitchable=1"}


#: The options of what only the model sees.
LOSSLESS = {"qp": "0", "preset": "ultrafast"}


class Segment:
    """A piece of a video; a context manager, at whose end it is whole unless something was raised.

    Arguments:
        target: the MP4 to write, a file or memory.
        size: width and height in pixels.
        fps: frames per second.
        options: of x264.
    """

    def __init__(
        self, target: Path | io.BytesIO, size: tuple[int, int], fps: int, options: dict[str, str]
    ) -> None:
        self._container = av.open(target, "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=fps, options=options)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.gop_size = fps * KEY_FRAME_SECONDS
        context.thread_type, context.thread_count = "FRAME", THREADS
        context.color_range = LIMITED
        context.colorspace = context.color_primaries = context.color_trc = BT709
        self._time_base = Fraction(1, fps)
        self._written = 0

    def __enter__(self) -> "Segment":
        return self

    def write(self, picture: VideoFrame) -> None:
        """Encode a frame."""
        picture.pts, picture.time_base = self._written, self._time_base
        picture.pict_type = PictureType.NONE  # the encoder's choice, not that of the file it came from
        self._container.mux(self._stream.encode(picture))
        self._written += 1

    def copy(self, units: list[bytes], number: int, *, is_key: bool) -> None:
        """Write the packet of a frame as it is.

        Arguments:
            units: what it consists of (NAL units), without their start codes.
            number: at which place the frame is shown, from 0.
            is_key: whether a player may begin here.
        """
        self.open()
        packet: Packet[Any] = Packet(b"".join(_START_CODE + unit for unit in units))
        packet.stream, packet.time_base, packet.duration = self._stream, self._time_base, 1
        packet.pts, packet.dts, packet.is_keyframe = number, self._written - REORDERED, is_key
        self._container.mux(packet)
        self._written += 1

    def open(self) -> bytes:
        """Open the encoder, if it is not yet; return its parameter sets, each behind a start code."""
        context = self._stream.codec_context
        if not context.is_open:
            context.open()
        return bytes(context.extradata or b"")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._container:
            if error is None:
                self._container.mux(self._stream.encode(None))

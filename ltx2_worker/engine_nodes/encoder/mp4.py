"""An MP4 written frame by frame: H.264 in BT.709, AAC, the index first, and not a word on how it was made."""

import os
from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.codec.context import Flags
from av.packet import Packet
from av.video.reformatter import VideoReformatter

from .order import Files, Order

#: Matrix, primaries and transfer of HD video, and its limited range (ITU-T H.273, tables 2 to 4; libavutil's
#: AVCOL_RANGE_MPEG). swscale would convert with BT.601's matrix, and untagged HD is taken for BT.709.
_BT709, _LIMITED_RANGE = 1, 1
#: A player can begin at a key frame only; HLS cuts there too.
_KEY_FRAME_SECONDS = 2
#: x264 takes one thread and a half for each core that it sees, and each holds frames: a container of 8 cores
#: on a host of 128 would pay for 192 threads. It gains nothing beyond this many at 1080p.
_MOST_THREADS = 16
#: x264 writes its settings and the machine's thread count into a message (SEI, type 6 in ITU-T H.264,
#: table 7-1) of the first packet.
_WITHOUT_MESSAGES = "filter_units=remove_types=6"


class Mp4:
    """The file of one video, being written.

    Arguments:
        order: what comes.
        files: where it goes, and what to say inside it.
        sound: samples of 32-bit floats, channels by samples; None as in `order`.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, order: Order, files: Files, sound: "np.ndarray[Any, Any] | None") -> None:
        flags = "faststart+use_metadata_tags" if files.metadata else "faststart"
        # bitexact keeps the muxer's version and the date out.
        options = {"movflags": flags, "fflags": "bitexact"}
        self._order = order
        self._container = av.open(str(files.video), mode="w", format="mp4", options=options)
        self._container.metadata.update(files.metadata)
        self._video = self._container.add_stream("libx264", rate=order.fps, options={"crf": str(order.crf)})
        self._video.width, self._video.height, self._video.pix_fmt = order.width, order.height, "yuv420p"
        context = self._video.codec_context
        context.gop_size = int(order.fps * _KEY_FRAME_SECONDS)
        context.thread_count = min(_MOST_THREADS, len(os.sched_getaffinity(0)) * 3 // 2)
        context.color_range = _LIMITED_RANGE
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._reformatter = VideoReformatter()
        self._frames = 0
        self._first = True
        self._sound_packets: deque[Packet[Any]] = deque()
        if order.sound is not None and sound is not None:
            self._sound_packets.extend(self._encode_sound(sound))

    @property
    def frames(self) -> int:
        """How many were taken."""
        return self._frames

    def add(self, rgb: "np.ndarray[Any, Any]") -> None:
        """Take the next frame: height by width by 3, 8 bits; it may be overwritten afterwards."""
        frame = self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(rgb, "rgb24"),
            format="yuv420p",
            dst_colorspace=_BT709,
            dst_color_range=_LIMITED_RANGE,
            dst_color_primaries=_BT709,
            dst_color_trc=_BT709,
            threads=1,
        )
        frame.pts, frame.time_base = self._frames, 1 / self._order.fps
        self._frames += 1
        self._mux(self._video.encode(frame))

    def close(self) -> None:
        """Finish the file.

        Raises:
            ValueError: not all frames came.
        """
        if self._frames != self._order.frames:
            raise ValueError(f"{self._frames} of {self._order.frames} frames came")
        self._mux(self._video.encode(None))
        self._container.mux(list(self._sound_packets))
        self._container.close()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._container.close()

    def _mux(self, packets: Iterable["Packet[Any]"]) -> None:
        """Write packets of the video, each after the sound that is heard before it."""
        for packet in packets:
            written = self._without_messages(packet) if self._first else packet
            self._first = False
            while self._sound_packets and _time(self._sound_packets[0]) <= _time(written):
                self._container.mux(self._sound_packets.popleft())
            self._container.mux(written)

    def _without_messages(self, packet: "Packet[Any]") -> "Packet[Any]":
        (rest,) = BitStreamFilterContext(_WITHOUT_MESSAGES, self._video).filter(packet)
        rest.stream = self._video
        return rest

    def _encode_sound(self, sound: "np.ndarray[Any, Any]") -> Iterable["Packet[Any]"]:
        """All of the sound: a few hundred kilobytes, to be written between the frames."""
        given = self._order.sound
        assert given is not None
        layout = "mono" if given.channels == 1 else "stereo"
        stream = self._container.add_stream("aac", rate=given.rate, layout=layout)
        stream.codec_context.flags |= Flags.bitexact  # or its name and version are in the first packet
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = given.rate, 0
        return [*stream.encode(frame), *stream.encode(None)]


def _time(packet: "Packet[Any]") -> Fraction:
    return Fraction(packet.dts or 0) * Fraction(packet.time_base)

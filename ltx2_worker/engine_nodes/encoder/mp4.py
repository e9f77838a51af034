"""An MP4 written frame by frame: H.264 in BT.709, AAC, the index first, and not a word on how it was made."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
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
#: x264 encodes nothing before it has seen so many frames more; of a short video, half of them. What it still
#: holds when the last frame has come, the caller waits for, and its own 40 would be all of a preview. At the
#: same size of the file, this costs 0.00 to 0.04 dB of PSNR (docs/performance.md).
_LOOKAHEAD = 24
#: x264 writes its settings and the machine's thread count into a message (SEI, type 6 in ITU-T H.264,
#: table 7-1) of the first packet.
_WITHOUT_MESSAGES = "filter_units=remove_types=6"
#: An MP4's packets as the encoder hands them out: with start codes, without its message and parameter sets
#: (types 7 and 8), which stand in the file's head.
_AS_ENCODED = "h264_mp4toannexb,filter_units=remove_types=6|7|8"
#: Without it x264 writes the quality into the parameter sets: videos of two could not be put together.
_SAME_PARAMETERS = "stitchable=1"
#: An access unit delimiter (ITU-T H.264, 7.3.2.4). A piece begins with a key picture that may have the number
#: (idr_pic_id) of the one before it; with a delimiter, nobody takes the two for one (7.4.1.2.3).
_DELIMITER = b"\0\0\0\1\x09\x10"
#: x264's medium preset puts a frame before at most so many that are shown before it (b-pyramid).
_REORDERED = 2


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
        lookahead = str(min(_LOOKAHEAD, order.frames // 2))
        coding = {"crf": str(order.crf), "rc-lookahead": lookahead, "x264-params": _SAME_PARAMETERS}
        self._video = self._container.add_stream("libx264", rate=order.fps, options=coding)
        self._video.width, self._video.height, self._video.pix_fmt = order.width, order.height, "yuv420p"
        context = self._video.codec_context
        context.gop_size = int(order.fps * _KEY_FRAME_SECONDS)
        # PyAV's default cuts each frame into slices: slower, and 1 to 5 % larger at the same quality.
        context.thread_type = "FRAME"
        context.thread_count = min(_MOST_THREADS, len(os.sched_getaffinity(0)) * 3 // 2)
        context.color_range = _LIMITED_RANGE
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._reformatter = VideoReformatter()
        self._frames = self._muxed = 0
        self._first = True
        self._piece_begins = files.kept is not None
        self._begun = self._ended = False
        self._is_spliced = files.kept is not None
        self._sound_packets: deque[Packet[Any]] = deque()
        if order.sound is not None and sound is not None:
            self._sound_packets.extend(self._encode_sound(sound))

    @property
    def frames(self) -> int:
        """How many were taken."""
        return self._frames

    def add(self, rgb: "np.ndarray[Any, Any]") -> av.VideoFrame:
        """Take the next frame, height by width by 3, 8 bits, which may be overwritten afterwards.

        Returns:
            It as it is encoded: yuv420p.
        """
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
        self._begun = True
        self._mux(self._bare(self._video.encode(frame)))
        return frame

    def splice(self, path: Path) -> None:
        """Put in a piece of H.264 as it is, before the first frame or behind the last one.

        It must have been encoded as the frames are: an MP4 has one set of parameters for all of its frames.

        Raises:
            ValueError: it was not.
        """
        if self._begun:
            self._end_encoder()
        encoder = self._video.codec_context
        if not encoder.is_open:
            encoder.open()
        with av.open(str(path), format="mp4") as piece:
            stream = piece.streams.video[0]
            if _parameters(stream.codec_context.extradata) != _parameters(encoder.extradata):
                raise ValueError("a piece was not encoded as the frames are")
            bare, first = BitStreamFilterContext(_AS_ENCODED, stream), self._frames
            self._piece_begins = True
            for packet in piece.demux(stream):
                for written in bare.filter(packet if packet.size else None):
                    shown = round(Fraction(written.pts or 0) * written.time_base * self._order.fps)
                    written.stream, written.time_base = self._video, 1 / self._order.fps
                    written.pts, written.duration = first + shown, 1
                    self._frames += 1
                    self._mux([written])
            self._piece_begins = True

    def close(self) -> None:
        """Finish the file.

        Raises:
            ValueError: not all frames came.
        """
        if self._frames != self._order.frames:
            raise ValueError(f"{self._frames} of {self._order.frames} frames came")
        self._end_encoder()
        self._container.mux(list(self._sound_packets))
        self._container.close()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._container.close()

    def _end_encoder(self) -> None:
        """Write what the encoder still holds; it takes no frame afterwards."""
        if not self._ended and (self._begun or not self._is_spliced):
            self._mux(self._bare(self._video.encode(None)))
        self._ended = True

    def _mux(self, packets: Iterable["Packet[Any]"]) -> None:
        """Write packets of the video, each after the sound that is heard before it."""
        for packet in packets:
            written = packet
            if self._is_spliced:
                if self._piece_begins:
                    written = _delimited(written)
                    self._piece_begins = False
                # Each piece counts from its own beginning, and a short one without the delay of the others.
                written.dts = self._muxed - _REORDERED
            self._muxed += 1
            while self._sound_packets and _time(self._sound_packets[0]) <= _time(written):
                self._container.mux(self._sound_packets.popleft())
            self._container.mux(written)

    def _bare(self, packets: Iterable["Packet[Any]"]) -> "Iterator[Packet[Any]]":
        """The encoder's packets, the first one without its message."""
        for packet in packets:
            if not self._first:
                yield packet
                continue
            self._first = False
            (rest,) = BitStreamFilterContext(_WITHOUT_MESSAGES, self._video).filter(packet)
            rest.stream = self._video
            yield rest

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


def _parameters(extradata: bytes | None) -> list[bytes]:
    """The parameter sets of H.264: of an MP4's head (ISO/IEC 14496-15, 5.3.3.1), or of an encoder's."""
    data = bytes(extradata or b"")
    if not data.startswith(b"\x01"):
        return [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1") if unit.strip(b"\0")]
    units, place = [], 5
    for mask in (0x1F, 0xFF):
        count, place = data[place] & mask, place + 1
        for _ in range(count):
            length = int.from_bytes(data[place : place + 2], "big")
            units.append(data[place + 2 : place + 2 + length].rstrip(b"\0"))
            place += 2 + length
    return units


def _delimited(packet: "Packet[Any]") -> "Packet[Any]":
    """A packet behind a delimiter."""
    other: Packet[Any] = Packet(_DELIMITER + bytes(packet))
    other.stream, other.time_base, other.duration = packet.stream, packet.time_base, packet.duration
    other.pts, other.dts, other.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
    return other


def _time(packet: "Packet[Any]") -> Fraction:
    return Fraction(packet.dts or 0) * Fraction(packet.time_base)

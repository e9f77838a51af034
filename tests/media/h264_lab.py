"""H.264 as this worker writes it, and as it does not: whole videos, and packets that were tampered with."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet

from ltx2_worker.media.segment import Segment, delivered

SIZE = (128, 64)
CRF = 12.0
#: Strict: a decoder that hides nothing.
STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}

Pixels = np.ndarray[Any, Any]


def picture(number: int, size: tuple[int, int] = SIZE, *, pixels: str = "yuv420p") -> av.VideoFrame:
    """Frame `number` of waves that move, with a little noise, and without a cut."""
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(number).integers(0, 8, (height, width))
    waves = 120 + 90 * np.sin((across + 2 * number) / 20)
    rgb = np.stack([waves, 60 + down + number, 90 + noise], axis=-1)
    frame: av.VideoFrame = av.VideoFrame.from_ndarray(rgb.astype(np.uint8), "rgb24")
    return frame.reformat(format=pixels, dst_colorspace=1, dst_color_range=1)


def ours(path: Path, frames: int = 30, *, crf: float = CRF, size: tuple[int, int] = SIZE) -> Path:
    """A video as this worker encodes it."""
    with Segment(path, size, 24, delivered(crf)) as segment:
        for number in range(frames):
            segment.write(picture(number, size))
    return path


def other(
    path: Path,
    options: dict[str, str],
    *,
    frames: int = 30,
    size: tuple[int, int] = SIZE,
    pixels: str = "yuv420p",
    rate: Fraction = Fraction(24),
    container: str = "mp4",
) -> Path:
    """A video of x264 with options of its own, else as `ours`."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream("libx264", rate=rate, options=delivered(CRF) | options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        context = stream.codec_context
        context.gop_size = 48
        context.color_range = context.colorspace = context.color_primaries = context.color_trc = 1
        for number in range(frames):
            frame = picture(number, size, pixels=pixels)
            frame.pts, frame.time_base = number, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@dataclass(frozen=True)
class Coded:
    """A packet.

    Attributes:
        shown, decoded: its times, in frames.
        is_key: what the file says of it.
        units: what it consists of.
    """

    shown: Fraction
    decoded: Fraction
    is_key: bool
    units: tuple[bytes, ...]

    @property
    def kinds(self) -> set[int]:
        """Types of its units."""
        return {unit[0] & 0x1F for unit in self.units}


def coded(path: Path, fps: int = 24) -> list[Coded]:
    """The packets of a video, in the order of the file."""
    with av.open(str(path)) as container:
        return [_coded(packet, fps) for packet in container.demux(video=0) if packet.size]


def _coded(packet: "Packet[Any]", fps: int) -> Coded:
    assert packet.pts is not None
    assert packet.dts is not None
    unit = packet.time_base * fps
    return Coded(packet.pts * unit, packet.dts * unit, packet.is_keyframe, tuple(_units(bytes(packet))))


def _units(packet: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(packet):
        length = int.from_bytes(packet[place : place + 4], "big")
        yield packet[place + 4 : place + 4 + length]
        place += 4 + length


def written(
    path: Path, packets: Iterable[Coded], *, like: Path, time_base: Fraction = Fraction(1, 24 * 512)
) -> Path:
    """A video of these packets, with the head of another one."""
    with av.open(str(like)) as source, av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for each in packets:
            data = b"".join(struct.pack(">I", len(unit)) + unit for unit in each.units)
            packet: Packet[Any] = Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, time_base, each.is_key
            packet.pts = int(each.shown / 24 / time_base)
            packet.dts = int(each.decoded / 24 / time_base)
            output.mux(packet)
    return path


def with_units(packet: Coded, *units: bytes, in_front: bool = True) -> Coded:
    """A packet with units more."""
    return replace(packet, units=(*units, *packet.units) if in_front else (*packet.units, *units))


def parameter_sets(path: Path) -> tuple[bytes, bytes]:
    """The one sequence and the one picture parameter set of a video."""
    with av.open(str(path)) as container:
        head = bytes(container.streams.video[0].codec_context.extradata or b"")
    length = int.from_bytes(head[6:8], "big")
    sequence, rest = head[8 : 8 + length], head[8 + length :]
    return sequence, rest[3 : 3 + int.from_bytes(rest[1:3], "big")]


def pictures(path: Path) -> list[tuple[Fraction, Pixels]]:
    """Every frame of a video, and at which frame's time it is shown; strictly decoded."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.options = STRICT
        container.streams.video[0].thread_type = "FRAME"  # slices side by side tell of no errors
        return [_shown(frame) for frame in container.decode(video=0)]


def _shown(frame: av.VideoFrame) -> tuple[Fraction, Pixels]:
    assert frame.pts is not None
    assert frame.time_base is not None
    assert not frame.is_corrupt
    return frame.pts * frame.time_base * 24, frame.to_ndarray()

"""Key pictures of videos that are put together: two in a row must have different numbers.

Each video begins with a key picture of number 0 (idr_pic_id), and x264 takes 0 and 1 in turn from there on.
Where a piece ends with a key picture and the next begins with another of the same number, a decoder may take
both for one picture (ITU-T H.264, 7.4.1.2.4, 7.4.3).
"""

import re
from functools import cached_property
from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream

from .parameter_sets import Bits, SliceForm, parameter_sets, slice_form, unescaped

_START_CODE = b"\0\0\0\1"
_KEY_PICTURE = 5


class KeyPictures:
    """Those of one video, in their order.

    Arguments:
        stream: what they are written to; its encoder is open when the second one comes.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._last: bytes | None = None

    def distinct(self, packet: "Packet[Any]") -> "Packet[Any]":
        """The next packet, whatever it holds, with another number if it needs one."""
        if not packet.is_keyframe:
            self._last = None
            return packet
        data, last = bytes(packet), self._last
        if last is not None and _number(last, self._form) == (number := _number(data, self._form)):
            data = _renumbered(data, 1 - number if number < 2 else 0, self._form)
            packet = _with(packet, data)
        self._last = data
        return packet

    @cached_property
    def _form(self) -> SliceForm:
        return slice_form(parameter_sets(self._stream.codec_context.extradata))


def _units(data: bytes) -> list[bytes]:
    return re.split(rb"\x00{2,}\x01", data)[1:]


def _is_key(unit: bytes) -> bool:
    return unit[0] & 0x1F == _KEY_PICTURE


def _number(data: bytes, form: SliceForm) -> int:
    """The number of a key picture."""
    unit = next(filter(_is_key, _units(data)))
    bits = Bits(unescaped(unit[1:32]))
    _before_number(bits, form)
    return bits.golomb()


def _renumbered(data: bytes, number: int, form: SliceForm) -> bytes:
    """A key picture, each slice of it with another number."""
    units = [_slice(unit, number, form) if _is_key(unit) else unit for unit in _units(data)]
    return b"".join(_START_CODE + unit for unit in units)


def _slice(unit: bytes, number: int, form: SliceForm) -> bytes:
    """A slice with another number in its header; what is coded behind that begins at a whole byte."""
    plain = unescaped(unit)
    bits = Bits(plain[:64])
    bits.number(8)
    _before_number(bits, form)
    begin = bits.place
    bits.golomb()
    end = bits.place
    bits.number(form.order_bits + 2)  # and how references are marked
    bits.golomb()  # the quantiser
    if form.has_filter and bits.golomb() != 1:
        bits.golomb()
        bits.golomb()
    coded = f"{number + 1:b}"
    head = bits.between(0, begin) + "0" * (len(coded) - 1) + coded + bits.between(end, bits.place)
    head += "1" * (-len(head) % 8)
    picture = plain[-(-bits.place // 8) :]
    return _escaped(int(head, 2).to_bytes(len(head) // 8, "big") + picture)


def _before_number(bits: Bits, form: SliceForm) -> None:
    for _ in range(3):
        bits.golomb()  # where the slice begins, its kind, its parameter set
    bits.number(form.frame_bits)


def _escaped(plain: bytes) -> bytes:
    """A unit in which no start code can be seen (7.4.1)."""
    return re.sub(rb"\x00\x00(?=[\x00-\x03]|\Z)", b"\0\0\3", plain)


def _with(packet: "Packet[Any]", data: bytes) -> "Packet[Any]":
    other: Packet[Any] = Packet(data)
    other.stream, other.time_base, other.duration = packet.stream, packet.time_base, packet.duration
    other.pts, other.dts, other.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
    return other

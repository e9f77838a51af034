"""The parameter sets of H.264 (ITU-T H.264, 7.3.2.1 and 7.3.2.2): which there are, and what a slice needs."""

from dataclasses import dataclass

_SEQUENCE, _PICTURE = 7, 8
#: Profiles whose sequence parameter set says more of the samples (7.3.2.1.1); x264 writes no other of them.
_HIGH = {100, 110, 122, 244}


def parameter_sets(extradata: bytes | None) -> list[bytes]:
    """Take them out of an MP4's head (ISO/IEC 14496-15, 5.3.3.1), or from among an encoder's start codes."""
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


class Bits:
    """Reads numbers out of bytes, as 7.2 and 9.1 write them.

    Arguments:
        data: without the bytes that only prevent start codes.
    """

    def __init__(self, data: bytes) -> None:
        self._bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
        #: How many were read.
        self.place = 0

    def number(self, count: int) -> int:
        """u(count): so many bits."""
        self.place += count
        return int(self._bits[self.place - count : self.place] or "0", 2)

    def golomb(self) -> int:
        """ue(v): an Exp-Golomb code; of se(v), the same bits."""
        zeros = self._bits.index("1", self.place) - self.place
        self.place += zeros
        return self.number(zeros + 1) - 1

    def between(self, first: int, last: int) -> str:
        """The bits from a place up to another one."""
        return self._bits[first:last]


@dataclass(frozen=True)
class SliceForm:
    """What must be known to read the header of an IDR picture's slice.

    Attributes:
        frame_bits, order_bits: of the numbers frame_num and pic_order_cnt_lsb; of the latter 0 if it is not
            there.
        has_filter: whether the header has the deblocking filter's strength.
    """

    frame_bits: int
    order_bits: int
    has_filter: bool


def slice_form(sets: list[bytes]) -> SliceForm:
    """Read it from x264's own parameter sets.

    Raises:
        ValueError: they are of another form: interlaced, or not of the arithmetic coder.
    """
    (sequence,) = (unit for unit in sets if unit[0] & 0x1F == _SEQUENCE)
    (picture,) = (unit for unit in sets if unit[0] & 0x1F == _PICTURE)
    frame_bits, order_bits = _of_sequence(Bits(unescaped(sequence[1:])))
    return SliceForm(frame_bits, order_bits, _has_filter(Bits(unescaped(picture[1:]))))


def unescaped(unit: bytes) -> bytes:
    """A unit without the bytes that only prevent start codes (7.3.1)."""
    return unit.replace(b"\0\0\3", b"\0\0")


def _of_sequence(bits: Bits) -> tuple[int, int]:
    profile = bits.number(8)
    bits.number(16)  # constraints and level
    bits.golomb()  # its id
    if profile in _HIGH:
        chroma, *_ = bits.golomb(), bits.golomb(), bits.golomb()  # and both bit depths
        _require(chroma == 1 and bits.number(2) & 1 == 0)  # lossless or not; no matrices for scaling
    frame_bits, kind = bits.golomb() + 4, bits.golomb()
    _require(kind in {0, 2})
    order_bits = bits.golomb() + 4 if kind == 0 else 0
    bits.golomb()  # how many references
    bits.number(1)
    bits.golomb()  # width and height
    bits.golomb()
    _require(bits.number(1) == 1)  # whole frames only
    return frame_bits, order_bits


def _has_filter(bits: Bits) -> bool:
    bits.golomb()  # its id, and that of its sequence
    bits.golomb()
    _require(bits.number(2) == 0b10)  # the arithmetic coder; no second order of fields
    _require(bits.golomb() == 0)  # one group of slices
    bits.golomb()  # how many references
    bits.golomb()
    bits.number(3)  # weights
    for _ in range(3):
        bits.golomb()  # where quantisers begin
    has_filter = bits.number(1) == 1
    bits.number(1)
    _require(bits.number(1) == 0)  # no redundant pictures
    return has_filter


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("the parameter sets are of another form than x264's")

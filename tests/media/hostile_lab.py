"""Files that wish a decoder ill, any number of them, each made from its own number."""

import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from tests.media.media_lab import VIDEO_KINDS, encoded, pictures, write_video

Damage = Callable[[random.Random, bytes], bytes]


@cache
def whole_pictures() -> tuple[bytes, ...]:
    noise = Image.effect_noise((160, 120), 90).convert("RGB")
    noisy = [encoded(noise, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "HEIF")]
    return (*pictures().values(), *noisy)


@cache
def whole_videos() -> tuple[bytes, ...]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "video"
        plain = [write_video(path, *kind, frames=8).read_bytes() for kind in VIDEO_KINDS.values()]
        front = [
            write_video(path, codec, "mp4", frames=8, options={"movflags": "faststart"}).read_bytes()
            for codec in ("libx264", "libx265", "libsvtav1")
        ]
    return (*plain, *front)


def hostile_picture(number: int) -> bytes:
    return _hostile(number, whole_pictures())


def hostile_video(number: int) -> bytes:
    return _hostile(number, whole_videos())


def _hostile(number: int, wholes: tuple[bytes, ...]) -> bytes:
    chance = random.Random(number)
    content = chance.choice(wholes)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = chance.choice(DAMAGES)(chance, content)
    return content


def truncate(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def flip_bits(chance: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 3, 10, 100))):
        if damaged:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flip_head(chance: random.Random, content: bytes) -> bytes:
    return flip_bits(chance, content[:200]) + content[200:]


def extreme_number(chance: random.Random, content: bytes) -> bytes:
    """A length, a count or a size somewhere becomes as large or as small as it can be."""
    width = chance.choice((1, 2, 4, 8))
    where = chance.randrange(max(1, len(content) if chance.random() < 0.3 else min(len(content), 400)))
    value = chance.choice((0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)) % 2 ** (8 * width)
    order = chance.choice(("big", "little"))
    number: bytes = value.to_bytes(width, order)
    return content[:where] + number + content[where + width :]


def huge_dimensions(chance: random.Random, content: bytes) -> bytes:
    """As much as the format can say, with right checksums where it has them."""
    width, height = (chance.choice((1, 9_999, 16_383, 65_535, 2**31 - 1)) for _ in range(2))
    if content.startswith(b"\x89PNG") and len(content) > 33:
        header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
        return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    if content.startswith(b"GIF8"):
        return content[:6] + struct.pack("<HH", width % 65_536, height % 65_536) + content[10:]
    for mark in (
        b"\xff\xc0",
        b"\xff\xc2",
        b"ispe",
        b"avc1",
        b"hvc1",
        b"hev1",
        b"vp09",
        b"av01",
        b"tkhd",
        b"stsz",
    ):
        at = content.find(mark)
        if at >= 0:
            skip = {b"ispe": 8, b"tkhd": 80, b"stsz": 8}.get(mark, 5 if mark[0] == 0xFF else 28)
            size = struct.pack(">HH", height % 65_536, width % 65_536)
            if mark in (b"ispe", b"tkhd", b"stsz"):
                size = struct.pack(">II", width, height)
            return content[: at + skip] + size + content[at + skip + len(size) :]
    return extreme_number(chance, content)


def swap_parts(chance: random.Random, content: bytes) -> bytes:
    first, second, third = sorted(chance.randrange(len(content) + 1) for _ in range(3))
    return content[:first] + content[second:third] + content[first:second] + content[third:]


def repeat_part(chance: random.Random, content: bytes) -> bytes:
    first, last = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return content[:last] + content[first:last] * chance.choice((1, 5, 50)) + content[last:]


def other_head(chance: random.Random, content: bytes) -> bytes:
    """The first bytes of one file, the rest of another."""
    other = chance.choice(whole_pictures() + whole_videos())
    length = chance.choice((4, 12, 32, 200))
    return other[:length] + content[length:]


def two_in_one(chance: random.Random, content: bytes) -> bytes:
    return content + chance.choice(whole_pictures() + whole_videos())


def random_after_head(chance: random.Random, content: bytes) -> bytes:
    length = chance.choice((3, 8, 12, 16, 64))
    return content[:length] + chance.randbytes(chance.choice((0, 10, 1_000, 20_000)))


def random_bytes(chance: random.Random, content: bytes) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 100, 10_000)))


def zeroed(chance: random.Random, content: bytes) -> bytes:
    first, last = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return content[:first] + bytes(last - first) + content[last:]


DAMAGES: tuple[Damage, ...] = (
    truncate,
    truncate,
    flip_bits,
    flip_head,
    extreme_number,
    extreme_number,
    huge_dimensions,
    huge_dimensions,
    swap_parts,
    repeat_part,
    other_head,
    two_in_one,
    random_after_head,
    random_bytes,
    zeroed,
)

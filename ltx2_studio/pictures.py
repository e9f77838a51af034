"""The emerging video's picture: a small JPEG that some endpoints send with their progress.

It lies in the database, beside the generation and no longer than it runs: one process follows a generation,
and any other may be asked for its picture. It is written and removed in the transaction that changes the
progress which names it, so that no end of any kind leaves one behind.
"""

from base64 import b64decode
from binascii import Error as NoBase64
from hashlib import sha256

import sqlalchemy as sa

from .tables import pictures

#: Bytes of a picture, and pixels of its longer side. ComfyUI sends 512 pixels at quality 95; made of the
#: latent (one pixel for 32 of the video) they take 25 to 70 kB where they are nothing but noise.
MOST_BYTES = 128 * 1024
MOST_PIXELS = 1024

_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"
#: Marks of the segment that holds the size (ITU T.81, table B.1): SOF0 to SOF15, but for DHT, JPG and DAC.
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: The mark of the pixels, before which every segment says how long it is.
_SCAN = 0xDA


def jpeg_of(text: str | None) -> bytes | None:
    """The picture that a worker sent as base64; None for what is too large, or no JPEG."""
    if text is None or len(text) > MOST_BYTES * 4 // 3 + 4:
        return None
    try:
        jpeg = b64decode(text, validate=True)
    except (NoBase64, ValueError):
        return None
    size = _size_of(jpeg) if len(jpeg) <= MOST_BYTES else None
    return jpeg if size is not None and 0 < min(size) <= max(size) <= MOST_PIXELS else None


def name_of(jpeg: bytes) -> str:
    """What progress calls a picture: another one has another name."""
    return sha256(jpeg).hexdigest()[:16]


def keep(db: sa.Connection, generation: str, jpeg: bytes | None) -> None:
    """Keep a generation's newest picture in the place of the one before; None: it has none."""
    db.execute(sa.delete(pictures).where(pictures.c.generation == generation))
    if jpeg is not None:
        db.execute(sa.insert(pictures).values(generation=generation, jpeg=jpeg))


def get(db: sa.Connection, generation: str) -> bytes | None:
    """A generation's newest picture, if it has one now."""
    return db.scalar(sa.select(pictures.c.jpeg).where(pictures.c.generation == generation))


def _size_of(jpeg: bytes) -> tuple[int, int] | None:
    """Height and width in pixels, as the first frame's header says; None for what is no whole JPEG."""
    if not (jpeg.startswith(_BEGIN) and jpeg.endswith(_END)):
        return None
    at = len(_BEGIN)
    # Each segment: 0xff, its mark, its length in two bytes with these two, its content.
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != _SCAN:
        if jpeg[at + 1] in _SIZES:
            return int.from_bytes(jpeg[at + 5 : at + 7]), int.from_bytes(jpeg[at + 7 : at + 9])
        at += 2 + max(2, int.from_bytes(jpeg[at + 2 : at + 4]))
    return None

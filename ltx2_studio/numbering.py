"""Numbers of changes, in the order in which they can be seen, and ids that sort by time."""

import uuid

import sqlalchemy as sa

from .tables import sequence


def newest(db: sa.Connection) -> int:
    """The number of the newest change."""
    return int(db.scalar(sa.select(sequence.c.value)) or 0)


def following(db: sa.Connection) -> int:
    """Take the next number for a change in this transaction."""
    # The row's lock orders all changes: a number is seen only when every smaller one can be.
    db.execute(sa.update(sequence).values(value=sequence.c.value + 1))
    return newest(db)


def new_id(at: float) -> str:
    """An id that sorts by time (UUID version 7: RFC 9562, 5.7).

    Arguments:
        at: seconds since 1970.
    """
    milliseconds = int(at * 1000).to_bytes(6, "big")
    raw = bytearray(milliseconds + uuid.uuid4().bytes[6:])
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))

"""Generations as rows: made once for a key, changed by one transaction each, found by account.

Every change takes the next number of the sequence; a transition names the states that it may start from, so
that of two that race one changes the row and the other finds nothing to change.
"""

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from . import ledger
from .contract import FINAL, State
from .tables import generations, sequence


class KeyReused(Exception):  # noqa: N818 - it is an answer
    """The key was used before, with another body."""


@dataclass(frozen=True)
class Row:
    """One generation, with what its owner does not see: `job_id` and the worker's whole `reply`."""

    id: str
    account: str
    key: str
    body_digest: str
    model: str
    input: dict[str, Any]
    tags: list[str]
    credits: int
    state: State
    cancelling: bool
    job_id: str | None
    submits: int
    runs: int
    progress: dict[str, Any] | None
    waiting: str | None
    reply: dict[str, Any] | None
    error: dict[str, Any] | None
    retry_of: str | None
    seq: int
    next_check_at: float
    lease_until: float
    created_at: float
    submitted_at: float | None
    started_at: float | None
    finished_at: float | None
    hidden_at: float | None


@dataclass(frozen=True)
class New:
    """What a generation is made of.

    Attributes:
        key: the caller's Idempotency-Key.
        credits: what is held for it.
    """

    account: str
    key: str
    model: str
    input: Mapping[str, Any]
    tags: tuple[str, ...]
    credits: int
    retry_of: str | None = None

    @property
    def body_digest(self) -> str:
        """The same for the same body."""
        body = [self.model, self.input, self.tags, self.retry_of]
        return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def create(db: sa.Connection, new: New, at: float) -> tuple[Row, bool]:
    """Write a generation and hold its credits; a key that was used before answers with its row.

    Returns:
        The row, and whether it was there already.

    Raises:
        KeyReused: the key stands for another body.
        NotEnough: the account has fewer credits.
        sqlalchemy.exc.IntegrityError: another one with the same key is being written; try again.
    """
    known = db.execute(
        sa.select(generations).where(generations.c.account == new.account, generations.c.key == new.key)
    ).first()
    if known is not None:
        if known.body_digest != new.body_digest:
            raise KeyReused
        return _row(known), True
    made = str(_uuid7(at))
    db.execute(
        sa.insert(generations).values(
            id=made,
            account=new.account,
            key=new.key,
            body_digest=new.body_digest,
            model=new.model,
            input=dict(new.input),
            tags=list(new.tags),
            credits=new.credits,
            state=State.HELD,
            cancelling=False,
            submits=0,
            runs=0,
            retry_of=new.retry_of,
            seq=_next(db),
            next_check_at=at,
            lease_until=0.0,
            created_at=at,
        )
    )
    ledger.hold(db, new.account, made, new.credits, at)
    return get(db, made), False


def get(db: sa.Connection, generation: str) -> Row:
    """A generation by its id; raises LookupError."""
    found = db.execute(sa.select(generations).where(generations.c.id == generation)).first()
    if found is None:
        raise LookupError(generation)
    return _row(found)


def change(
    db: sa.Connection, row: Row, *, only_from: Collection[State] | None = None, **values: Any
) -> Row | None:
    """Change a generation if it is still in one of the states; the row as it is then, or None."""
    states = only_from if only_from is not None else [row.state]
    changed = db.execute(
        sa.update(generations)
        .where(generations.c.id == row.id, generations.c.state.in_([str(state) for state in states]))
        .values(seq=_next(db), **values)
    )
    return get(db, row.id) if changed.rowcount else None


def finish(db: sa.Connection, row: Row, state: State, at: float, **values: Any) -> Row | None:
    """End a generation, and its hold: a video is paid for, anything else is not.

    A video that comes after the credits went back is given, and not charged.

    Returns:
        The row, or None if it had ended before.
    """
    opened = [other for other in State if other not in FINAL]
    late = [State.FAILED, State.CANCELLED, State.EXPIRED] if state is State.SUCCEEDED else []
    ended = change(
        db,
        row,
        only_from=[*opened, *late],
        state=state,
        finished_at=at,
        progress=None,
        waiting=None,
        cancelling=False,
        lease_until=0.0,
        **({"error": None} if state is State.SUCCEEDED else {}),
        **values,
    )
    if ended is None:
        return None
    end = ledger.settle if state is State.SUCCEEDED else ledger.release
    end(db, row.account, row.id, row.credits, at)
    return ended


def lease(db: sa.Connection, states: Collection[State], at: float, seconds: float, limit: int) -> list[Row]:
    """Take what is due in some states: nobody else gets it for so many seconds."""
    due = (
        sa.select(generations.c.id)
        .where(
            generations.c.state.in_([str(state) for state in states]),
            generations.c.next_check_at <= at,
            generations.c.lease_until <= at,
        )
        .order_by(generations.c.next_check_at)
        .limit(limit)
    )
    if db.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True)
    taken = list(db.scalars(due))
    db.execute(sa.update(generations).where(generations.c.id.in_(taken)).values(lease_until=at + seconds))
    return [get(db, generation) for generation in taken]


def due_at(db: sa.Connection, row: Row, at: float) -> None:
    """Look at a generation again at a time; nobody has to hear of it."""
    db.execute(
        sa.update(generations).where(generations.c.id == row.id).values(next_check_at=at, lease_until=0.0)
    )


def count_open(db: sa.Connection, account: str) -> int:
    """How many generations of an account have not ended."""
    counted = db.scalar(
        sa.select(sa.func.count())
        .select_from(generations)
        .where(generations.c.account == account, generations.c.state.not_in([str(state) for state in FINAL]))
    )
    return int(counted or 0)


def previews_since(db: sa.Connection, account: str, at: float) -> int:
    """How many free previews an account has asked for since a time."""
    made = db.scalars(
        sa.select(generations.c.input).where(
            generations.c.account == account, generations.c.credits == 0, generations.c.created_at >= at
        )
    )
    return sum(bool(given.get("preview")) for given in made)


@dataclass(frozen=True)
class Wanted:
    """Which generations of an account.

    Attributes:
        states: any of them; all if there are none.
        words: in the prompt, whatever their case.
        before: the number of the change after which the page begins.
    """

    account: str
    states: tuple[State, ...] = ()
    tag: str | None = None
    words: str | None = None
    before: int | None = None


def page(db: sa.Connection, wanted: Wanted, limit: int) -> list[Row]:
    """Generations of an account, the newest change first."""
    chosen = sa.select(generations).where(
        generations.c.account == wanted.account, generations.c.hidden_at.is_(None)
    )
    if wanted.states:
        chosen = chosen.where(generations.c.state.in_([str(state) for state in wanted.states]))
    if wanted.words:
        prompt = generations.c.input["prompt"].as_string()
        chosen = chosen.where(prompt.icontains(wanted.words, autoescape=True))
    if wanted.before is not None:
        chosen = chosen.where(generations.c.seq < wanted.before)
    rows = (_row(row) for row in db.execute(chosen.order_by(generations.c.seq.desc())))
    found = []
    for row in rows:
        if wanted.tag is None or wanted.tag in row.tags:
            found.append(row)
        if len(found) == limit:
            break
    return found


def changed_since(db: sa.Connection, seq: int, limit: int, account: str | None = None) -> list[Row]:
    """Generations whose newest change is newer than a number, in order."""
    chosen = sa.select(generations).where(generations.c.seq > seq)
    if account is not None:
        chosen = chosen.where(generations.c.account == account, generations.c.hidden_at.is_(None))
    return [_row(row) for row in db.execute(chosen.order_by(generations.c.seq).limit(limit))]


def newest(db: sa.Connection) -> int:
    """The number of the newest change."""
    return int(db.scalar(sa.select(sequence.c.value)) or 0)


def _next(db: sa.Connection) -> int:
    # The row's lock orders all changes: a number is seen only when every smaller one can be.
    db.execute(sa.update(sequence).values(value=sequence.c.value + 1))
    return newest(db)


def _row(found: Any) -> Row:
    values = dict(found._mapping)
    return Row(**values | {"state": State(values["state"])})


def _uuid7(at: float) -> uuid.UUID:
    """An id that sorts by time (RFC 9562, 5.7)."""
    milliseconds = int(at * 1000).to_bytes(6, "big")
    raw = bytearray(milliseconds + uuid.uuid4().bytes[6:])
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return uuid.UUID(bytes=bytes(raw))

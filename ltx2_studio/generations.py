"""Generations as rows: made once for a key, changed by one transaction each, found by account.

Every change takes the next number of the sequence; a transition names the states that it may start from, so
that of two that race one changes the row and the other finds nothing to change.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from . import ledger, numbering, pictures
from .contract import FINAL, State
from .tables import generations


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
    removed_at: float | None


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
        return row_of(known), True
    made = numbering.new_id(at)
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
            seq=numbering.following(db),
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
    return row_of(found)


def change(
    db: sa.Connection,
    row: Row,
    *,
    only_from: Collection[State] | None = None,
    picture: bytes | None = None,
    **values: Any,
) -> Row | None:
    """Change a generation if it is still in one of the states; the row as it is then, or None.

    Arguments:
        picture: the JPEG that new progress names; progress without one leaves none behind.
    """
    states = only_from if only_from is not None else [row.state]
    changed = db.execute(
        sa.update(generations)
        .where(generations.c.id == row.id, generations.c.state.in_([str(state) for state in states]))
        .values(seq=numbering.following(db), **values)
    )
    if not changed.rowcount:
        return None
    if "progress" in values:
        named = (values["progress"] or {}).get("picture")
        # Most progress names the picture of the one before. None is removed in any case: `row` may be older.
        if named is None or named != (row.progress or {}).get("picture"):
            pictures.keep(db, row.id, picture)
    return get(db, row.id)


def finish(
    db: sa.Connection,
    row: Row,
    state: State,
    at: float,
    *,
    only_from: Collection[State] | None = None,
    **values: Any,
) -> Row | None:
    """End a generation, and its hold: a video is paid for, anything else is not.

    A video that comes after the credits went back is given, and not charged.

    Arguments:
        only_from: the states that it may be in; all but the final ones, if left out.

    Returns:
        The row, or None if it had ended before.
    """
    opened = [other for other in State if other not in FINAL]
    late = [State.FAILED, State.CANCELLED, State.EXPIRED] if state is State.SUCCEEDED else []
    ended = change(
        db,
        row,
        only_from=only_from if only_from is not None else [*opened, *late],
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
    chosen = sa.select(generations).where(generations.c.id.in_(taken)).order_by(generations.c.next_check_at)
    return [row_of(found) for found in db.execute(chosen)]


def due_at(db: sa.Connection, times: Mapping[str, float]) -> None:
    """Look at generations again at their times; nobody has to hear of it."""
    again = (
        sa.update(generations)
        .where(generations.c.id == sa.bindparam("generation"))
        .values(next_check_at=sa.bindparam("at"), lease_until=0.0)
    )
    db.execute(again, [{"generation": generation, "at": at} for generation, at in times.items()])


def swept(db: sa.Connection, row: Row, at: float) -> None:
    """A deleted generation's files are deleted too."""
    db.execute(sa.update(generations).where(generations.c.id == row.id).values(removed_at=at))


def row_of(found: Any) -> Row:
    """What a select of the table found, as a row."""
    values = dict(found._mapping)
    return Row(**values | {"state": State(values["state"])})

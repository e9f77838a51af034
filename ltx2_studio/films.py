"""Films as rows: made once for a key, rendered under a lease, ended once."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from . import numbering
from .film_contract import FILM_FINAL, FilmState, NewFilm
from .generations import KeyReused
from .tables import films


@dataclass(frozen=True)
class FilmRow:
    """One film.

    Attributes:
        edit: a `NewFilm`.
        frames: of the whole film.
        done: frames that are rendered.
        tries: how often its rendering was begun.
    """

    id: str
    account: str
    key: str
    body_digest: str
    edit: dict[str, Any]
    frames: int
    state: FilmState
    cancelling: bool
    done: int
    tries: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    seq: int
    lease_until: float
    created_at: float
    started_at: float | None
    finished_at: float | None
    hidden_at: float | None


@dataclass(frozen=True)
class FilmOrder:
    """A film that somebody asks for; `key` is the caller's Idempotency-Key."""

    account: str
    key: str
    edit: NewFilm


def create(db: sa.Connection, order: FilmOrder, frames: int, at: float) -> tuple[FilmRow, bool]:
    """Write a film; a key that was used before answers with its row.

    Returns:
        The row, and whether it was there already.

    Raises:
        KeyReused: the key stands for another film.
        sqlalchemy.exc.IntegrityError: another one with the same key is being written; try again.
    """
    body = order.edit.model_dump(mode="json", by_alias=True)
    digest = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    known = db.execute(
        sa.select(films).where(films.c.account == order.account, films.c.key == order.key)
    ).first()
    if known is not None:
        if known.body_digest != digest:
            raise KeyReused
        return _row(known), True
    made = numbering.new_id(at)
    db.execute(
        sa.insert(films).values(
            id=made,
            account=order.account,
            key=order.key,
            body_digest=digest,
            edit=body,
            frames=frames,
            state=FilmState.QUEUED,
            cancelling=False,
            done=0,
            tries=0,
            seq=numbering.following(db),
            lease_until=0.0,
            created_at=at,
        )
    )
    return get(db, made), False


def get(db: sa.Connection, film: str) -> FilmRow:
    """A film by its id; raises LookupError."""
    found = db.execute(sa.select(films).where(films.c.id == film)).first()
    if found is None:
        raise LookupError(film)
    return _row(found)


def change(
    db: sa.Connection, row: FilmRow, *, only_from: Collection[FilmState], **values: Any
) -> FilmRow | None:
    """Change a film if it is in one of the states, and nobody has begun it anew since the row was read.

    Returns:
        The row as it is then, or None.
    """
    changed = db.execute(
        sa.update(films)
        .where(
            films.c.id == row.id,
            films.c.state.in_([str(state) for state in only_from]),
            films.c.tries == row.tries,
        )
        .values(seq=numbering.following(db), **values)
    )
    return get(db, row.id) if changed.rowcount else None


def begin(db: sa.Connection, at: float, seconds: float) -> FilmRow | None:
    """Take the film that has waited longest, or one whose renderer is gone, for so many seconds."""
    due = (
        sa.select(films.c.id)
        .where(films.c.state.not_in([str(s) for s in FILM_FINAL]), films.c.lease_until <= at)
        .order_by(films.c.created_at)
        .limit(1)
    )
    if db.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True)
    film = db.scalar(due)
    if film is None:
        return None
    db.execute(
        sa.update(films)
        .where(films.c.id == film)
        .values(
            state=FilmState.RENDERING,
            tries=films.c.tries + 1,
            done=0,
            seq=numbering.following(db),
            lease_until=at + seconds,
            started_at=at,
        )
    )
    return get(db, film)


def flag(db: sa.Connection, film: str) -> None:
    """Ask whoever renders a film to end it."""
    db.execute(
        sa.update(films)
        .where(films.c.id == film, films.c.state.not_in([str(state) for state in FILM_FINAL]))
        .values(cancelling=True, seq=numbering.following(db))
    )


def renew(db: sa.Connection, row: FilmRow, until: float) -> FilmRow | None:
    """Keep a film for longer; None if it is this process's no more."""
    kept = db.execute(
        sa.update(films)
        .where(films.c.id == row.id, films.c.tries == row.tries, films.c.state == FilmState.RENDERING)
        .values(lease_until=until)
    )
    return get(db, row.id) if kept.rowcount else None


def count_open(db: sa.Connection, account: str) -> int:
    """How many films of an account have not ended."""
    return int(
        db.scalar(
            sa.select(sa.func.count())
            .select_from(films)
            .where(films.c.account == account, films.c.state.not_in([str(s) for s in FILM_FINAL]))
        )
        or 0
    )


def page(db: sa.Connection, account: str, before: int | None, limit: int) -> list[FilmRow]:
    """Films of an account, the newest change first."""
    chosen = sa.select(films).where(films.c.account == account, films.c.hidden_at.is_(None))
    if before is not None:
        chosen = chosen.where(films.c.seq < before)
    return [_row(row) for row in db.execute(chosen.order_by(films.c.seq.desc()).limit(limit))]


def changed_since(db: sa.Connection, seq: int, limit: int, account: str | None = None) -> list[FilmRow]:
    """Films whose newest change is newer than a number, in order."""
    chosen = sa.select(films).where(films.c.seq > seq, films.c.hidden_at.is_(None))
    if account is not None:
        chosen = chosen.where(films.c.account == account)
    return [_row(row) for row in db.execute(chosen.order_by(films.c.seq).limit(limit))]


def _row(found: Any) -> FilmRow:
    values = dict(found._mapping)
    return FilmRow(**values | {"state": FilmState(values["state"])})

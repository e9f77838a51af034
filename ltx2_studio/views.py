"""Rows as the objects that their owner sees."""

from datetime import UTC, datetime
from typing import Any

from .contract import Error, Generation, Progress, Result, State, Waiting
from .film_contract import Film, FilmResult, FilmState, NewFilm
from .films import FilmRow
from .generations import Row


def generation(row: Row, now: float) -> Generation:
    """A generation as its owner sees it.

    Arguments:
        now: seconds since 1970, for how long it has waited.
    """
    done = row.state is State.SUCCEEDED
    reply = row.reply or {}
    waits = row.state in {State.HELD, State.SUBMITTING, State.QUEUED}
    waiting = Waiting.model_validate({"seconds": max(0, int(now - row.created_at)), "reason": row.waiting})
    return Generation(
        id=row.id,
        model=row.model,
        state=row.state,
        input=_without_base64(row.input),
        tags=row.tags,
        credits=row.credits,
        charged=row.credits if done else 0,
        cancelling=row.cancelling,
        progress=Progress.model_validate(row.progress) if row.progress else None,
        waiting=waiting if waits else None,
        result=Result.model_validate(reply) if done else None,
        has_poster=done and bool(reply.get("poster_url")),
        error=Error.model_validate(row.error) if row.error else None,
        retry_of=row.retry_of,
        created_at=moment(row.created_at),
        started_at=moment(row.started_at) if row.started_at else None,
        finished_at=moment(row.finished_at) if row.finished_at else None,
        seq=row.seq,
    )


def film(row: FilmRow) -> Film:
    """A film as its owner sees it."""
    return Film(
        id=row.id,
        state=row.state,
        edit=NewFilm.model_validate(row.edit),
        percent=100 * row.done // row.frames if row.state is FilmState.RENDERING else None,
        cancelling=row.cancelling,
        result=FilmResult.model_validate(row.result) if row.result else None,
        error=Error.model_validate(row.error) if row.error else None,
        created_at=moment(row.created_at),
        started_at=moment(row.started_at) if row.started_at else None,
        finished_at=moment(row.finished_at) if row.finished_at else None,
        seq=row.seq,
    )


def changed(row: Row | FilmRow, now: float) -> Generation | Film:
    """Whatever has changed, as its owner sees it."""
    return film(row) if isinstance(row, FilmRow) else generation(row, now)


def _without_base64(given: dict[str, Any]) -> dict[str, Any]:
    """Megabytes are not sent back with every change."""
    return {
        name: _without_base64(value) if isinstance(value, dict) else value
        for name, value in given.items()
        if not name.endswith("_base64")
    }


def moment(seconds: float) -> str:
    """A time in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")

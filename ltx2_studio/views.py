"""Rows as the objects that their owner sees."""

from datetime import UTC, datetime

from .contract import Error, Generation, Progress, Result, State, Waiting
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
        input=row.input,
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


def moment(seconds: float) -> str:
    """A time in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")

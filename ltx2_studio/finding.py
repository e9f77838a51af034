"""Finding generations: an account's pages, what has changed, how many are under way."""

from dataclasses import dataclass

import sqlalchemy as sa

from .contract import FINAL, State
from .generations import Row, row_of
from .tables import generations


def count_open(db: sa.Connection, account: str) -> int:
    """How many generations of an account have not ended."""
    counted = db.scalar(
        sa.select(sa.func.count())
        .select_from(generations)
        .where(generations.c.account == account, generations.c.state.not_in([str(state) for state in FINAL]))
    )
    return int(counted or 0)


def count_by_state(db: sa.Connection) -> dict[State, int]:
    """How many generations are in each state that is not final."""
    counted = db.execute(
        sa.select(generations.c.state, sa.func.count())
        .where(generations.c.state.in_([str(state) for state in State if state not in FINAL]))
        .group_by(generations.c.state)
    )
    return {State(state): int(count) for state, count in counted}


def to_sweep(db: sa.Connection, limit: int) -> list[Row]:
    """Deleted generations whose files may still be there."""
    chosen = sa.select(generations).where(
        generations.c.hidden_at.is_not(None),
        generations.c.removed_at.is_(None),
        generations.c.job_id.is_not(None),
    )
    return [row_of(row) for row in db.execute(chosen.order_by(generations.c.hidden_at).limit(limit))]


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
    rows = (row_of(row) for row in db.execute(chosen.order_by(generations.c.seq.desc())))
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
    return [row_of(row) for row in db.execute(chosen.order_by(generations.c.seq).limit(limit))]

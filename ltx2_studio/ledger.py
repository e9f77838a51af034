"""Credits: granted, held for a generation, then settled or released, each once.

`available + held == grants - settled` holds for every account, always.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from .tables import accounts, ledger


class NotEnough(Exception):  # noqa: N818 - it is an answer
    """The account has fewer credits than are needed.

    Attributes:
        available: what it has.
    """

    def __init__(self, available: int) -> None:
        super().__init__(f"{available} credits are available")
        self.available = available


@dataclass(frozen=True)
class Balance:
    """An account's credits."""

    available: int
    held: int


@dataclass(frozen=True)
class Entry:
    """One line of the ledger; `at` is in seconds since 1970."""

    id: int
    kind: str
    amount: int
    generation: str | None
    at: float


def grant(db: sa.Connection, account: str, amount: int, at: float) -> None:
    """Give credits to an account, which is made if it is new."""
    changed = db.execute(
        sa.update(accounts).where(accounts.c.id == account).values(available=accounts.c.available + amount)
    )
    if not changed.rowcount:
        db.execute(sa.insert(accounts).values(id=account, available=amount))
    db.execute(sa.insert(ledger).values(account=account, kind="grant", amount=amount, at=at))


def hold(db: sa.Connection, account: str, generation: str, amount: int, at: float) -> None:
    """Take credits from an account for a generation.

    Raises:
        NotEnough: it has fewer; nothing was changed.
    """
    taken = db.execute(
        sa.update(accounts)
        .where(accounts.c.id == account, accounts.c.available >= amount)
        .values(available=accounts.c.available - amount)
    )
    if not taken.rowcount:
        raise NotEnough(balance(db, account).available)
    _write(db, account, generation, kind="hold", amount=amount, at=at)


def settle(db: sa.Connection, account: str, generation: str, amount: int, at: float) -> bool:
    """Keep what was held: the video is there. Returns whether this was what ended the hold."""
    return _end(db, account, generation, kind="settle", amount=amount, at=at)


def release(db: sa.Connection, account: str, generation: str, amount: int, at: float) -> bool:
    """Give back what was held: there is no video. Returns whether this was what ended the hold."""
    if not _end(db, account, generation, kind="release", amount=amount, at=at):
        return False
    db.execute(
        sa.update(accounts).where(accounts.c.id == account).values(available=accounts.c.available + amount)
    )
    return True


def balance(db: sa.Connection, account: str) -> Balance:
    """An account's credits; none where there is no such account."""
    available = db.scalar(sa.select(accounts.c.available).where(accounts.c.id == account))
    sums = db.execute(
        sa.select(ledger.c.kind, sa.func.sum(ledger.c.amount))
        .where(ledger.c.account == account)
        .group_by(ledger.c.kind)
    )
    by_kind = {kind: int(amount) for kind, amount in sums}
    held = by_kind.get("hold", 0) - by_kind.get("settle", 0) - by_kind.get("release", 0)
    return Balance(int(available or 0), held)


def entries(db: sa.Connection, account: str, before: int | None, limit: int) -> list[Entry]:
    """The newest lines of an account, those before line `before` if it is given."""
    chosen = sa.select(ledger.c.id, ledger.c.kind, ledger.c.amount, ledger.c.generation, ledger.c.at).where(
        ledger.c.account == account
    )
    if before is not None:
        chosen = chosen.where(ledger.c.id < before)
    return [Entry(*row) for row in db.execute(chosen.order_by(ledger.c.id.desc()).limit(limit))]


def _end(db: sa.Connection, account: str, generation: str, *, kind: str, amount: int, at: float) -> bool:
    ended = db.scalar(
        sa.select(ledger.c.id).where(
            ledger.c.generation == generation, ledger.c.kind.in_(("settle", "release"))
        )
    )
    if ended is not None:
        return False
    # Should two come here at once, the index lets one of them through, and the other's transaction fails.
    _write(db, account, generation, kind=kind, amount=amount, at=at)
    return True


def _write(db: sa.Connection, account: str, generation: str, *, kind: str, amount: int, at: float) -> None:
    db.execute(
        sa.insert(ledger).values(account=account, generation=generation, kind=kind, amount=amount, at=at)
    )

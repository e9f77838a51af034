"""What the tables themselves refuse, whatever the code above them does."""

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ltx2_studio import ledger, orders
from ltx2_studio.database import connect
from ltx2_studio.generations import New, Row
from ltx2_studio.tables import accounts
from ltx2_studio.tables import ledger as table
from tests.studio.small_studio import settings


@pytest.fixture
def books(database: str) -> Iterator[tuple[sa.Engine, Row]]:
    """An account with 100 credits, of which 30 are held for a generation."""
    engine, now = connect(database), time.time()
    with engine.begin() as db:
        ledger.grant(db, "ada", 100, now)
    new = New("ada", "first-order", "ltx-2", {"prompt": "A calm sea."}, (), 0)
    row, _ = orders.take(engine, new, settings("unused"), now)
    yield engine, row
    engine.dispose()


def write(engine: sa.Engine, row: Row, kind: str) -> None:
    with engine.begin() as db:
        entry = {"account": "ada", "generation": row.id, "kind": kind, "amount": row.credits, "at": 0.0}
        db.execute(sa.insert(table).values(**entry))


def test_an_order_has_one_hold_and_one_end(books: tuple[sa.Engine, Row]) -> None:
    engine, row = books
    with pytest.raises(IntegrityError):
        write(engine, row, "hold")
    write(engine, row, "settle")
    for kind in ("settle", "release"):
        with pytest.raises(IntegrityError):
            write(engine, row, kind)


def test_no_account_goes_below_nothing_and_no_entry_is_of_another_kind(books: tuple[sa.Engine, Row]) -> None:
    engine, row = books
    with pytest.raises(IntegrityError), engine.begin() as db:
        db.execute(sa.update(accounts).values(available=-1))
    with pytest.raises(IntegrityError):
        write(engine, row, "gift")
    with pytest.raises(IntegrityError), engine.begin() as db:
        db.execute(sa.insert(table).values(account="ada", kind="grant", amount=-5, at=0.0))


def test_a_settled_order_is_not_released_by_the_code_either(books: tuple[sa.Engine, Row]) -> None:
    engine, row = books
    with engine.begin() as db:
        assert ledger.settle(db, "ada", row.id, row.credits, 1.0)
        assert not ledger.release(db, "ada", row.id, row.credits, 2.0)
        assert not ledger.settle(db, "ada", row.id, row.credits, 3.0)
        assert ledger.balance(db, "ada") == ledger.Balance(70, 0)

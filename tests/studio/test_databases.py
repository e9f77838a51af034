"""What SQLite and Postgres have to do alike: credits for three are three, and a death costs nothing."""

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from local.runpod import Emulator
from ltx2_studio.database import connect
from ltx2_studio.tables import METADATA
from tests.studio.conftest import makes_a_video
from tests.studio.small_studio import running


def test_an_order_is_made_and_paid_for_once(runpod: Emulator, database: str) -> None:
    runpod.play(makes_a_video)
    with running(runpod, database, grant=100) as studio, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: studio.ask(f"order-{n % 20:03}"), range(40)))
        made = {answer.json()["id"] for answer in answers if answer.status_code in {200, 201}}
        assert len(made) == 3
        assert {answer.status_code for answer in answers} == {200, 201, 402}
        for generation in made:
            studio.wait_for(generation, "succeeded")
        balance = studio.balance()
        assert (balance.available, balance.held, studio.entries("settle")) == (10, 0, 3)
        assert len(runpod.jobs) == 3


def test_the_tables_are_made_once_and_found_again(database: str) -> None:
    for _ in range(2):
        engine = connect(database)
        assert "one_end_of_a_hold" in {i["name"] for i in sa.inspect(engine).get_indexes("ledger")}
        engine.dispose()


def test_the_migrations_make_the_tables_that_the_code_knows(database: str) -> None:
    engine = connect(database)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert found == []

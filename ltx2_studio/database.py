"""Opening the database: SQLite for one machine, Postgres for several."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_MIGRATIONS = Path(__file__).with_name("migrations")

#: Seconds for which a writer waits for another one.
_PATIENCE = 10.0
#: Connections that look at SQLite.
_READERS = 8


def connect(url: str) -> sa.Engine:
    """Open a database and bring its tables to the newest version.

    Arguments:
        url: SQLAlchemy's, such as sqlite:////var/lib/studio.db or postgresql+psycopg://user@host/name.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: it cannot be opened.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        # One connection writes: SQLite has one writer, and its own way of waiting for it is to sleep.
        engine = sa.create_engine(
            url,
            connect_args={"timeout": _PATIENCE, "check_same_thread": False},
            poolclass=sa.pool.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=_PATIENCE,
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediately)
    else:
        engine = sa.create_engine(url, pool_pre_ping=True, pool_timeout=_PATIENCE)
    migrate(engine)
    return engine


def reader_of(engine: sa.Engine) -> sa.Engine:
    """What only looks at a database: on SQLite beside its writer, on Postgres the same."""
    if engine.dialect.name != "sqlite":
        return engine
    reader = sa.create_engine(
        engine.url, connect_args={"timeout": _PATIENCE}, pool_size=_READERS, pool_timeout=_PATIENCE
    )
    sa.event.listen(reader, "connect", _prepare_sqlite_reader)
    sa.event.listen(reader, "begin", _begin)
    return reader


def migrate(engine: sa.Engine) -> None:
    """Bring the tables to the newest version; several processes may do it at once."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("select pg_advisory_xact_lock(721843905)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver begins transactions by itself, and late: with this it leaves that to SQLAlchemy.
    connection.isolation_level = None
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")


def _begin_immediately(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later fails at once where another one writes meanwhile.
    connection.exec_driver_sql("begin immediate")


def _prepare_sqlite_reader(connection: Any, record: Any) -> None:
    _prepare_sqlite(connection, record)
    connection.execute("pragma query_only = on")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("begin")

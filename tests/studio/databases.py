"""Both databases, for tests of what they have to do alike."""

import pytest

from tests.studio.postgres import programs

needs_postgres = pytest.mark.skipif(programs() is None, reason="no Postgres here (Debian: postgresql)")

#: Runs a test with the fixture `database`, once on each.
both_databases = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=needs_postgres)], indirect=True
)

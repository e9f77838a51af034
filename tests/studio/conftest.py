"""An emulated RunPod, and a backend in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.runpod import Emulator, Job, Options, Script, sampling
from tests.studio.postgres import postgres, programs
from tests.studio.small_studio import KEY, VIDEO, Studio, running, sqlite


def makes_a_video(job: Job) -> Script:
    """What a worker does that makes every video in half a second."""
    return Script(seconds=0.5, output=VIDEO | {"job_id": job.id}, progress=sampling(0.4, 2))


@pytest.fixture
def runpod() -> Iterator[Emulator]:
    with Emulator(Options(endpoint_id="an-endpoint", key=KEY)) as emulator:
        yield emulator


@pytest.fixture
def studio(runpod: Emulator, tmp_path: Path) -> Iterator[Studio]:
    """A backend on SQLite; nobody works at the endpoint yet."""
    with running(runpod, sqlite(tmp_path)) as studio:
        yield studio


needs_postgres = pytest.mark.skipif(programs() is None, reason="no Postgres here (Debian: postgresql)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite(tmp_path)
        return
    with postgres(tmp_path) as address:
        yield address

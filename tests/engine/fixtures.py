"""The engines of the tests: the real ComfyUI with tiny weights, behind a network that can be made bad."""

import dataclasses
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine, EngineOptions, Event
from ltx2_worker.settings import Settings
from tests.engine.bad_network import BadNetwork

NEEDED = (
    "LTX2_COMFYUI_DIR",
    "LTX2_ENGINE_PYTHON",
    "LTX2_ENGINE_DEVICE",
    "LTX2_MODELS_DIRS",
    "LTX2_ENGINE_NODES_DIR",
)
FAULT_NODES = Path(__file__).with_name("nodes")

Heard = TypeVar("Heard", bound=Event)


@pytest.fixture(scope="session")
def engine_options(tmp_path_factory: pytest.TempPathFactory) -> EngineOptions:
    """What every engine of the tests shares; shorter patience than in production."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    assert not missing, f"engine tests need {', '.join(missing)}; `python3 -m local test` sets them"
    options = EngineOptions.from_settings(Settings())
    return dataclasses.replace(
        options,
        work_dir=tmp_path_factory.mktemp("engine"),
        # The union-control LoRA lies beside the tiny weights; whether a job uses it is the test's choice.
        models_dirs=(*options.models_dirs, options.models_dirs[0].with_name("tiny-union")),
        nodes_dirs=(*options.nodes_dirs, FAULT_NODES),
        start_timeout=90,
        answer_timeout=8,
        stall_timeout=60,
        max_crashes=20,
    )


@pytest.fixture(scope="session")
def session_network() -> Iterator[BadNetwork]:
    network = BadNetwork()
    yield network
    network.close()


@pytest.fixture(scope="session")
def session_engine(engine_options: EngineOptions, session_network: BadNetwork) -> Iterator[Engine]:
    engine = Engine(engine_options, route=session_network.route)
    engine.start()
    yield engine
    engine.stop(0)


@pytest.fixture
def network(session_network: BadNetwork) -> Iterator[BadNetwork]:
    """The network between the driver and the engine; healed after the test."""
    yield session_network
    session_network.heal()


@pytest.fixture
def engine(session_engine: Engine, network: BadNetwork) -> Iterator[Engine]:
    """A ready engine, shared by all tests; it must come back from whatever a test does to it."""
    session_engine.wait_ready(Deadline(90))
    yield session_engine
    assert not session_engine.gave_up.is_set()


@pytest.fixture
def make_engine(engine_options: EngineOptions, tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """An engine of the test's own, with other options."""
    engines: list[Engine] = []

    def make(**changes: Any) -> Engine:
        engine = Engine(dataclasses.replace(engine_options, work_dir=tmp_path / "engine", **changes))
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.stop(0)


class Job:
    """A graph that is being run on a thread, with what was heard of it."""

    def __init__(
        self,
        engine: Engine,
        pool: ThreadPoolExecutor,
        graph: dict[str, Any],
        seconds: float,
        is_made: Callable[[], bool] | None = None,
    ) -> None:
        self.deadline = Deadline(seconds)
        self.events: list[Event] = []
        self._heard = threading.Condition()
        self.ticket = engine.take_ticket()
        self.future: Future[tuple[Path, ...]] = pool.submit(
            engine.run,
            graph,
            ticket=self.ticket,
            job_key=uuid.uuid4().hex,
            deadline=self.deadline,
            on_event=self._hear,
            is_made=is_made,
        )

    def _hear(self, event: Event) -> None:
        with self._heard:
            self.events.append(event)
            self._heard.notify_all()

    def wait_for(self, wanted: Callable[[Event], bool], seconds: float = 60) -> None:
        """Wait until an event was heard."""
        with self._heard:
            assert self._heard.wait_for(lambda: any(map(wanted, self.events)), seconds), self.events

    def heard(self, kind: type[Heard]) -> list[Heard]:
        return [event for event in self.events if isinstance(event, kind)]

    def paths(self, seconds: float = 90) -> tuple[Path, ...]:
        return self.future.result(seconds)


class StartJob(Protocol):
    """The fixture `start_job`: runs a graph on a thread."""

    def __call__(
        self,
        graph: dict[str, Any],
        seconds: float = 110,
        on: Engine | None = None,
        is_made: Callable[[], bool] | None = None,
    ) -> Job: ...


@pytest.fixture
def start_job(engine: Engine) -> Iterator[StartJob]:
    """Run graphs on threads: start_job(graph, seconds=110)."""
    pool = ThreadPoolExecutor(4)
    jobs: list[Job] = []

    def start(
        graph: dict[str, Any],
        seconds: float = 110,
        on: Engine | None = None,
        is_made: Callable[[], bool] | None = None,
    ) -> Job:
        jobs.append(Job(on or engine, pool, graph, seconds, is_made))
        return jobs[-1]

    yield start
    for job in jobs:
        job.deadline.cancel()
    pool.shutdown(wait=True)


@pytest.fixture
def prefix() -> str:
    """A file name prefix of the test's own: the engine answers a repeated graph from its cache."""
    return f"{uuid.uuid4().hex}/video"

"""A place in the engine's order is let go whatever happens, or every later job would wait behind it."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker import generation
from ltx2_worker.engine import EncoderLost, Engine, EngineOptions, Ticket
from ltx2_worker.settings import Settings
from ltx2_worker.worker import Worker


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A worker's without any model."""
    return Settings(
        models_dirs=(tmp_path / "models",), work_dir=tmp_path / "work", output_dir=tmp_path, warmup="fast"
    )


def waits(ticket: Ticket) -> bool:
    """Whether a job is held up by an earlier one."""

    def held_up() -> NoReturn:
        raise TimeoutError

    try:
        ticket._order.wait(ticket, 1, held_up)
    except TimeoutError:
        return True
    return False


def test_a_job_that_cannot_be_accepted_for_the_warm_up_keeps_no_place(settings: Settings) -> None:
    worker = Worker(settings)
    with pytest.raises(WorkerError) as refused:
        worker._warm_up()
    assert refused.value.code is ErrorCode.MODEL_NOT_INSTALLED
    assert not waits(worker.take_ticket())


def test_a_second_encoder_that_cannot_be_started_keeps_no_place(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    engine = Engine(EngineOptions(tmp_path, python, tmp_path))
    worker = Worker(settings)
    accepted = worker.accept("job", {"prompt": "a", "dry_run": True}, engine.take_ticket())

    def lose(*_: Any, **__: Any) -> NoReturn:
        accepted.ticket.release()  # as the engine's run does in every case
        python.unlink()
        raise EncoderLost

    monkeypatch.setattr(generation, "_run", lose)
    graph: Any = None
    with pytest.raises(FileNotFoundError):
        generation.generate(accepted, graph, engine, tmp_path, settings)
    assert not waits(engine.take_ticket())

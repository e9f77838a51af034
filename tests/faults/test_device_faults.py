"""The GPU runs out of memory, or fails, in each stage inside the real engine: a video, or one sentence."""

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.engine import Engine, Restarted
from tests.engine import graphs
from tests.engine.fixtures import StartJob
from tests.faults import stages

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("stage", stages.OFTEN)
def test_memory_that_runs_out_once_costs_no_job_and_no_engine(
    engine: Engine, start_job: StartJob, prefix: str, stage: str
) -> None:
    marker = stages.mark(engine, stage, "memory", times=1)
    pid = engine.pid
    assert start_job(stages.graph(prefix)).paths()
    assert not marker.exists(), "the stage was never reached"
    assert engine.pid == pid


@pytest.mark.slow
@pytest.mark.parametrize("stage", stages.ALL)
def test_a_device_that_fails_in_a_stage_costs_an_engine_and_no_job(
    engine: Engine, start_job: StartJob, prefix: str, stage: str
) -> None:
    marker = stages.mark(engine, stage, "device", times=1)
    pid = engine.pid
    job = start_job(stages.graph(prefix))
    assert job.paths()
    assert not marker.exists(), "the stage was never reached"
    assert job.heard(Restarted)
    assert engine.pid != pid


@pytest.mark.slow
@pytest.mark.parametrize("stage", stages.ALL)
def test_memory_that_is_too_small_for_a_stage_is_one_sentence_and_the_next_job_a_video(
    engine: Engine, start_job: StartJob, prefix: str, stage: str
) -> None:
    marker = stages.mark(engine, stage, "memory", times=1000)
    error = start_job(stages.graph(prefix)).future.exception(90)
    marker.unlink()
    assert isinstance(error, WorkerError)
    assert error.code is ErrorCode.OUT_OF_MEMORY
    assert start_job(graphs.video(f"{prefix}-next")).paths()

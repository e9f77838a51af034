"""The container's memory is used up in the middle of a job: the kernel kills, the worker goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import (
    Encoder,
    EncoderFiles,
    EncoderLost,
    Engine,
    NodeProgress,
    NodeStarted,
    Restarted,
    RestartReason,
)
from tests.engine import graphs
from tests.engine.fixtures import StartJob
from tests.faults import stages
from tests.faults.memory_limit import MemoryLimit, can_limit, memory_limit

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(not can_limit(), reason="this machine allows no memory cgroups"),
]


@pytest.fixture
def limit() -> Iterator[MemoryLimit]:
    """No more memory than a process has when it comes in, but for some pages."""
    with memory_limit(1 << 20) as group:
        yield group


@pytest.mark.parametrize("stage", ["sampling", "decoding", "encoding"])
def test_an_engine_that_the_kernel_kills_for_memory_costs_no_job(
    engine: Engine, start_job: StartJob, prefix: str, limit: MemoryLimit, stage: str
) -> None:
    pid = engine.pid
    assert pid is not None
    if stage == "sampling":
        job = start_job(stages.graph(prefix, steps=200))
        job.wait_for(lambda event: isinstance(event, NodeProgress) and event.node_id == graphs.STEPS)
    elif stage == "decoding":
        job = start_job(stages.graph(prefix, side=512))
        job.wait_for(lambda event: event == NodeStarted(graphs.SAVE))
    else:
        job = start_job(graphs.video(prefix, frames=240, size=512))
        job.wait_for(lambda event: event == NodeStarted(graphs.SAVE))
    limit.add(pid)
    assert job.paths()
    assert job.heard(Restarted) == [Restarted(RestartReason.ENGINE_STOPPED)]
    assert limit.kills
    assert engine.pid != pid


def test_an_encoder_that_the_kernel_kills_for_memory_is_noticed_and_the_engine_lives(
    engine: Engine, start_job: StartJob, prefix: str, limit: MemoryLimit, tmp_path: Path
) -> None:
    with Encoder(engine.options, f"test-{prefix[:8]}", EncoderFiles(tmp_path / "video.mp4")) as encoder:
        pid = engine.pid
        graph = stages.graph(prefix, side=512)
        graph[graphs.SAVE]["inputs"]["encoder"] = f"test-{prefix[:8]}"
        job = start_job(graph, is_made=encoder.has_all_frames)
        job.wait_for(lambda event: isinstance(event, NodeProgress) and event.node_id == graphs.STEPS)
        limit.add(encoder.pid)
        assert job.future.exception(60) is not None
        with pytest.raises(EncoderLost):
            encoder.wait(Deadline(30), lambda frames: None)
    assert limit.kills
    assert engine.pid == pid
    assert start_job(graphs.video(f"{prefix}-next")).paths()
    assert not list(tmp_path.glob("*.mp4"))

"""The engine or the encoder fails while frames go from one to the other: a video, or one sentence."""

import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker import generation
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import (
    Encoder,
    EncoderFiles,
    EncoderLost,
    Engine,
    NodeProgress,
    Restarted,
    RestartReason,
)
from ltx2_worker.settings import Settings
from ltx2_worker.worker import Worker
from ltx2_worker.workflow.build import BuiltGraph
from tests.engine import graphs
from tests.engine.encode_lab import MOVING, seen, sending
from tests.engine.fixtures import Job, StartJob

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Sink:
    """An encoder that waits for frames, where it listens, and what it makes."""

    encoder: Encoder
    address: str
    video: Path


@pytest.fixture
def sink(engine: Engine, tmp_path: Path) -> Iterator[Sink]:
    address, video = f"test-{uuid.uuid4().hex}", tmp_path / "video.mp4"
    with Encoder(engine.options, address, EncoderFiles(video)) as encoder:
        yield Sink(encoder, address, video)


def streamed(prefix: str, sink: Sink, side: int = 128) -> graphs.Graph:
    """A video of 33 frames that ends in the encoder of this sink; at most 1 MB of frames wait for it."""
    seed = int(prefix[:4], 16)  # or the engine would have the latent already
    return {
        "ckpt": graphs.node("CheckpointLoaderSimple", ckpt_name=graphs.CHECKPOINT),
        graphs.STEPS: graphs.node("NoiseLatent", side=side, frames=33, seed=seed),
        graphs.SAVE: graphs.stream(
            prefix, sink.address, samples=[graphs.STEPS, 0], audio=None, frames=33, width=side, height=side
        ),
    }


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def frames_memory(pid: int) -> int:
    """Bytes of frames in memory that a process shares with an encoder (proc(5), smaps)."""
    held, is_frames = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split()[0]:
            is_frames = "memfd:frames" in line
        elif is_frames and line.startswith("Rss:"):
            held += int(line.split()[1]) * 1024
    return held


def stop_when_frames_come(encoder: Encoder, job: Job) -> None:
    """Stop the encoder once it has some frames, so that the decoder waits for it."""
    job.wait_for(lambda event: isinstance(event, NodeProgress) and event.node_id == graphs.SAVE)
    os.kill(encoder.pid, signal.SIGSTOP)


def test_an_engine_that_dies_while_frames_come_runs_the_job_again(
    engine: Engine, start_job: StartJob, sink: Sink, prefix: str
) -> None:
    # 512 x 512 x 3 bytes a frame: two wait at most, and the decoder is held in the middle.
    job = start_job(streamed(prefix, sink, side=512), is_made=sink.encoder.has_all_frames)
    stop_when_frames_come(sink.encoder, job)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    os.kill(sink.encoder.pid, signal.SIGCONT)
    assert job.paths() == ()
    assert job.heard(Restarted) == [Restarted(RestartReason.ENGINE_STOPPED)]
    sink.encoder.wait(Deadline(60), lambda frames: None)
    assert frames_of(sink.video) == 33


def test_a_host_without_memory_in_the_middle_of_decoding_runs_the_job_again(
    engine: Engine, start_job: StartJob, sink: Sink, prefix: str
) -> None:
    marker = prefix.split("/", maxsplit=1)[0]
    (engine.input_dir / marker).touch()
    graph = streamed(prefix, sink, side=192)
    graph["fault"] = graphs.node("FaultDecoder", vae=["ckpt", 2], error="host_memory", marker=marker)
    graph[graphs.SAVE]["inputs"]["vae"] = ["fault", 0]
    job = start_job(graph, is_made=sink.encoder.has_all_frames)
    assert job.paths() == ()
    assert job.heard(Restarted) == [Restarted(RestartReason.OUT_OF_MEMORY)]
    sink.encoder.wait(Deadline(60), lambda frames: None)
    assert frames_of(sink.video) == 33


def test_an_engine_that_dies_after_the_last_frame_costs_nothing(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    job = start_job(graphs.stepping(prefix, steps=1000, seconds=0.05), is_made=lambda: True)
    job.wait_for(lambda event: isinstance(event, NodeProgress))
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    assert job.paths() == ()
    assert not job.heard(Restarted)


def test_a_cancel_frees_an_engine_that_waits_for_its_encoder(
    engine: Engine, start_job: StartJob, sink: Sink, prefix: str
) -> None:
    job = start_job(streamed(prefix, sink, side=512), is_made=sink.encoder.has_all_frames)
    stop_when_frames_come(sink.encoder, job)
    job.deadline.cancel()
    assert isinstance(job.future.exception(10), Cancelled)
    pid = engine.pid
    assert start_job(graphs.video(f"{prefix}-next")).paths()
    assert engine.pid == pid


def test_an_encoder_that_dies_while_frames_come_is_what_is_reported(
    engine: Engine, start_job: StartJob, sink: Sink, prefix: str
) -> None:
    job = start_job(streamed(prefix, sink, side=512), is_made=sink.encoder.has_all_frames)
    stop_when_frames_come(sink.encoder, job)
    assert engine.pid is not None
    assert frames_memory(engine.pid) > 0
    os.kill(sink.encoder.pid, signal.SIGKILL)
    assert isinstance(job.future.exception(60), EncoderLost)
    assert frames_memory(engine.pid) == 0
    with pytest.raises(EncoderLost):
        sink.encoder.check()


@pytest.mark.slow  # the engine waits for a minute
@pytest.mark.parametrize("has_begun", [True, False], ids=["encoding", "waiting"])
def test_an_encoder_that_takes_no_frames_is_what_is_reported(
    engine: Engine, start_job: StartJob, sink: Sink, prefix: str, has_begun: bool
) -> None:
    if not has_begun:
        os.kill(sink.encoder.pid, signal.SIGSTOP)
    job = start_job(streamed(prefix, sink, side=512), 200, is_made=sink.encoder.has_all_frames)
    if has_begun:
        stop_when_frames_come(sink.encoder, job)
    assert isinstance(job.future.exception(150), EncoderLost)
    assert start_job(graphs.video(f"{prefix}-next")).paths()


@pytest.mark.slow  # the engine looks for the encoder for 20 s
def test_a_file_that_was_completed_by_an_earlier_try_is_taken(
    engine: Engine, sink: Sink, prefix: str, tmp_path: Path
) -> None:
    with sending(engine.options, sink.address, **MOVING) as sender:
        seen(sender)
        sink.encoder.wait(Deadline(30), lambda frames: None)
    worker = Worker(Settings(work_dir=tmp_path, output_dir=tmp_path))
    accepted = worker.accept("job", {"prompt": "a", "dry_run": True}, engine.take_ticket())
    graph = BuiltGraph(streamed(prefix, sink), {})
    generation._run(accepted, graph, engine, accepted.ticket, sink.encoder, previews=False)
    assert frames_of(sink.video) == MOVING["frames"]


@pytest.mark.parametrize("kind", ["black", "nan"])
def test_an_unusable_picture_is_generated_once_more(
    engine: Engine, start_job: StartJob, sink: Sink, prefix: str, kind: str
) -> None:
    (engine.input_dir / "spoilt").touch()
    graph = streamed(prefix, sink)
    graph["spoilt"] = graphs.node("FaultVAE", vae=["ckpt", 2], picture=kind, marker="spoilt")
    graph[graphs.SAVE]["inputs"]["vae"] = ["spoilt", 0]
    job = start_job(graph, is_made=sink.encoder.has_all_frames)
    assert job.paths() == ()
    assert job.heard(Restarted) == [Restarted(RestartReason.UNUSABLE_PICTURE)]
    sink.encoder.wait(Deadline(60), lambda frames: None)
    assert frames_of(sink.video) == 33


def test_a_picture_that_is_unusable_twice_is_one_retryable_sentence(
    start_job: StartJob, sink: Sink, prefix: str
) -> None:
    graph = streamed(prefix, sink)
    graph["spoilt"] = graphs.node("FaultVAE", vae=["ckpt", 2], picture="black", marker="")
    graph[graphs.SAVE]["inputs"]["vae"] = ["spoilt", 0]
    error = start_job(graph, is_made=sink.encoder.has_all_frames).future.exception(90)
    assert isinstance(error, WorkerError)
    assert (error.code, error.retryable) == (ErrorCode.GENERATION_FAILED, True)
    assert "black" in error.message
    assert not sink.video.exists()

"""One graph, or two, on a healthy engine."""

from pathlib import Path

import av
import pytest

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import (
    Cached,
    Engine,
    NodeProgress,
    NodeStarted,
    Preview,
    Queued,
    Restarted,
    RestartReason,
    Started,
)
from tests.engine import graphs
from tests.engine.bad_network import BadNetwork
from tests.engine.fixtures import StartJob
from tests.log_lines import logged

pytestmark = pytest.mark.engine


def test_a_sampled_graph_becomes_a_playable_file_with_sound(
    start_job: StartJob, prefix: str, engine: Engine
) -> None:
    job = start_job(graphs.sampled(prefix, seed=1))
    (path,) = job.paths()
    assert path.is_relative_to(engine.output_dir / prefix.split("/", maxsplit=1)[0])
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 9
        assert container.streams.audio
    assert [type(event) for event in job.events[:3]] == [Queued, Started, Cached]
    steps = [event for event in job.heard(NodeProgress) if event.node_id == graphs.STEPS]
    assert [event.value for event in steps] == sorted(event.value for event in steps)
    assert (steps[-1].value, steps[-1].maximum) == (8, 8)
    assert NodeStarted(graphs.SAVE) in job.events


def test_previews_arrive_only_when_asked_for(engine: Engine, prefix: str) -> None:
    events: list[object] = []
    engine.run(
        graphs.sampled(prefix, seed=2),
        ticket=engine.take_ticket(),
        job_key="previews",
        deadline=Deadline(60),
        on_event=events.append,
        previews=True,
    )
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    assert all(event.jpeg.startswith(b"\xff\xd8") for event in previews)

    events.clear()
    engine.run(
        graphs.sampled(prefix + "-2", seed=3),
        ticket=engine.take_ticket(),
        job_key="no previews",
        deadline=Deadline(60),
        on_event=events.append,
    )
    assert not any(isinstance(event, Preview) for event in events)


def test_graphs_run_in_the_order_of_turns_whoever_is_prepared_first(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    first_ticket = engine.take_ticket()
    second = start_job(graphs.video(prefix + "-second"))
    late = start_job(graphs.stepping(prefix + "-late", steps=2, seconds=0.05))
    assert not second.future.done()
    paths = engine.run(
        graphs.stepping(prefix + "-first", steps=3, seconds=0.1),
        ticket=first_ticket,
        job_key="first",
        deadline=Deadline(30),
    )
    finished = [path.stat().st_mtime_ns for path in (*paths, *second.paths(), *late.paths())]
    assert finished == sorted(finished)


def test_a_released_turn_lets_the_next_one_go_on(engine: Engine, start_job: StartJob, prefix: str) -> None:
    given_up = engine.take_ticket()
    job = start_job(graphs.video(prefix))
    given_up.release()
    given_up.release()
    assert job.paths()


def test_the_history_does_not_grow(engine: Engine, start_job: StartJob, prefix: str) -> None:
    job = start_job(graphs.video(prefix))
    job.paths()
    failed = start_job(graphs.raising(prefix + "-2", "other"))
    assert isinstance(failed.future.exception(60), WorkerError)
    boot = engine._supervisor.instance
    assert boot is not None
    assert boot.api._get("/history") == {}


def test_a_refused_graph_is_one_sentence_and_no_try(
    start_job: StartJob, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    graph = graphs.video(prefix)
    graph["video"]["inputs"]["fps"] = 1000.0
    error = start_job(graph).future.exception(30)
    assert isinstance(error, WorkerError)
    assert (error.code, error.retryable) == (ErrorCode.GENERATION_FAILED, False)
    assert "value_bigger_than_max" in logged(caplog)
    assert "fps" not in error.message


def test_a_graph_of_which_only_a_part_is_valid_is_refused(start_job: StartJob, prefix: str) -> None:
    graph = graphs.video(prefix)
    graph["save2"] = graphs.node(
        "SaveVideo", video=["gone", 0], filename_prefix=prefix, format="mp4", codec="h264"
    )
    error = start_job(graph).future.exception(30)
    assert isinstance(error, WorkerError)
    assert error.code is ErrorCode.GENERATION_FAILED


def test_an_execution_error_is_one_sentence_without_paths(
    start_job: StartJob, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = start_job(graphs.raising(prefix, "other")).future.exception(30)
    assert isinstance(error, WorkerError)
    assert (error.code, error.retryable) == (ErrorCode.GENERATION_FAILED, False)
    assert "/" not in error.message and "secret" not in error.message
    assert "secret.safetensors in /srv/models is broken" in logged(caplog)


def test_a_full_disk_is_retryable(start_job: StartJob, prefix: str) -> None:
    error = start_job(graphs.raising(prefix, "disk")).future.exception(30)
    assert isinstance(error, WorkerError)
    assert (error.code, error.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)


def test_memory_is_freed_and_the_graph_run_again(engine: Engine, start_job: StartJob, prefix: str) -> None:
    (engine.input_dir / "memory").touch()
    job = start_job(graphs.raising(prefix, "gpu_memory", marker="memory"))
    assert job.paths()
    assert job.heard(Restarted) == [Restarted(RestartReason.OUT_OF_MEMORY)]
    # What was cached before the first try is gone: the second one starts from nothing.
    assert job.heard(Cached)[-1] == Cached(())


@pytest.mark.parametrize("frees_lost", [0, 3])
def test_the_second_try_begins_when_no_model_is_loaded_any_more(
    engine: Engine, network: BadNetwork, start_job: StartJob, prefix: str, frees_lost: int
) -> None:
    sampled = graphs.sampled(prefix, seed=5, steps=1)
    start_job(sampled).paths()
    key = prefix.split("/", maxsplit=1)[0]
    (engine.input_dir / key).touch()
    graph = graphs.raising(prefix, "gpu_memory", marker=key)
    graph["count"] = graphs.node("CountModels", image=["image", 0], name=key + "-models")
    graph["fault"]["inputs"]["image"] = ["count", 0]
    graph["ckpt"] = sampled["ckpt"]  # named, so that the engine keeps what it has loaded
    network.frees_lost = frees_lost
    job = start_job(graph)
    next_job = start_job(graphs.video(prefix + "-next"))
    assert job.paths() and next_job.paths()
    first, second = map(int, (engine.output_dir / f"{key}-models").read_text().split())
    assert first > 0 == second
    assert network.frees_lost == 0


def test_out_of_memory_twice_says_what_to_reduce_and_leaves_the_engine_healthy(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    pid = engine.pid
    error = start_job(graphs.raising(prefix, "gpu_memory")).future.exception(30)
    assert isinstance(error, WorkerError)
    assert error.code is ErrorCode.OUT_OF_MEMORY
    assert "resolution" in error.message
    assert start_job(graphs.video(prefix + "-next")).paths()
    assert engine.pid == pid


def test_cancelling_the_running_job_leaves_the_waiting_one_alone(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    running = start_job(graphs.stepping(prefix + "-a", steps=1000, seconds=0.05))
    waiting = start_job(graphs.stepping(prefix + "-b", steps=3, seconds=0.05))
    running.wait_for(lambda event: isinstance(event, NodeProgress))
    waiting.wait_for(lambda event: isinstance(event, Queued))
    running.deadline.cancel()
    assert isinstance(running.future.exception(5), Cancelled)
    assert waiting.paths()
    assert not waiting.heard(Restarted)


def test_cancelling_the_waiting_job_leaves_the_running_one_alone(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    running = start_job(graphs.stepping(prefix + "-a", steps=20, seconds=0.05))
    waiting = start_job(graphs.video(prefix + "-b"))
    waiting.wait_for(lambda event: isinstance(event, Queued))
    waiting.deadline.cancel()
    assert isinstance(waiting.future.exception(5), Cancelled)
    assert running.paths()
    assert not list(engine.output_dir.glob(f"{prefix}-b*"))


def test_a_cancel_during_a_long_step_returns_and_the_engine_is_cleaned_behind_it(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    job = start_job(graphs.stepping(prefix, steps=1, seconds=3))
    job.wait_for(lambda event: event == NodeStarted(graphs.STEPS))
    job.deadline.cancel()
    assert isinstance(job.future.exception(2.5), Cancelled)
    assert start_job(graphs.video(prefix + "-next")).paths()
    assert not list(engine.output_dir.glob(f"{prefix}_*"))


def test_the_deadline_interrupts_a_running_job(start_job: StartJob, prefix: str) -> None:
    job = start_job(graphs.stepping(prefix + "-a", steps=1000, seconds=0.05), seconds=1)
    error = job.future.exception(10)
    assert isinstance(error, WorkerError)
    assert error.code is ErrorCode.DEADLINE_EXCEEDED
    assert start_job(graphs.video(prefix + "-b")).paths()


def test_the_deadline_ends_a_wait_for_an_earlier_turn(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    earlier = engine.take_ticket()
    error = start_job(graphs.video(prefix), seconds=0.5).future.exception(10)
    earlier.release()
    assert isinstance(error, WorkerError)
    assert error.code is ErrorCode.DEADLINE_EXCEEDED


def test_a_fault_in_showing_progress_costs_no_video(engine: Engine, prefix: str) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    assert engine.run(
        graphs.video(prefix), ticket=engine.take_ticket(), job_key="job", deadline=Deadline(30), on_event=fail
    )


def test_websocket_messages_repeated_reordered_and_polluted_do_no_harm(
    network: BadNetwork, start_job: StartJob, prefix: str
) -> None:
    network.mangle = True
    first = start_job(graphs.sampled(prefix + "-a", seed=4))
    second = start_job(graphs.stepping(prefix + "-b", steps=10, seconds=0.02))
    assert first.paths() and second.paths()
    for job in (first, second):
        assert len(job.heard(Started)) == 1
        assert not job.heard(Restarted)


def test_the_engine_sees_the_nodes_and_the_models(engine: Engine) -> None:
    info = engine.object_info(Deadline(60))
    (files, _) = info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"]
    assert "ltx-2-19b-distilled-fp8.safetensors" in files
    assert engine.object_info(Deadline(60)) is info


def test_the_engine_is_told_no_secrets(engine: Engine) -> None:
    environment = Path(f"/proc/{engine.pid}/environ").read_bytes()
    assert b"PYTHONUNBUFFERED=1" in environment
    assert b"LTX2_" not in environment

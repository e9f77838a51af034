"""Jobs on the real worker: the SDK's own loop takes them, the real engine makes them, faults and all."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.runpod import HOST_NAME, LOST_REPLY, Emulator, Fault, Route, refused, slow, unanswered
from ltx2_worker.media.video import inspect
from ltx2_worker.telemetry import trace_id
from tests.media.certificates import signer
from tests.media.test_content_credentials import read
from tests.otlp_receiver import Receiver, attributes_of, receiving
from tests.platform.conftest import HANDLER, worker_environment
from tests.platform.jobs import (
    BOOT_SECONDS,
    DRY_RUN,
    ENCODER,
    ENGINE,
    JOB_SECONDS,
    held_while_encoding,
    in_stage,
    log_of,
    long_preview,
    only_result,
    preview,
)
from tests.platform.worker_process import WorkerProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


#: Whose content credentials the videos carry.
SIGNER = signer()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where the worker's traces and metrics go."""
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def shared(
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Emulator, WorkerProcess, Path]]:
    """One queue and one worker with a warm engine, for all tests of this file; it signs, and exports."""
    home = tmp_path_factory.mktemp("home")
    (home / "key.pem").write_text(SIGNER.private_key, encoding="ascii")
    options = {
        "LTX2_REVISION": "0123abc",
        "LTX2_C2PA_CERTIFICATES": SIGNER.certificates,
        "LTX2_C2PA_PRIVATE_KEY": str(home / "key.pem"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }
    with (
        Emulator() as runpod,
        WorkerProcess.python(HANDLER, worker_environment(runpod, home) | options, home) as worker,
    ):
        worker.wait_output('"event": "engine ready"', BOOT_SECONDS)
        yield runpod, worker, home
        print(worker.output)


@pytest.fixture
def queue(shared: tuple[Emulator, WorkerProcess, Path]) -> Iterator[Emulator]:
    yield shared[0]
    shared[0].heal()


@pytest.fixture
def worker(shared: tuple[Emulator, WorkerProcess, Path]) -> WorkerProcess:
    return shared[1]


@pytest.fixture
def videos(shared: tuple[Emulator, WorkerProcess, Path]) -> Path:
    return shared[2] / "videos"


@pytest.fixture
def scratch(shared: tuple[Emulator, WorkerProcess, Path]) -> Callable[[], list[Path]]:
    """The files of jobs that lie in the worker's scratch folders now."""
    engine = shared[2] / "work" / "engine"
    folders = [engine / name for name in ("input", "output", "temp")]
    return lambda: [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def test_a_job_ends_in_one_result_after_orderly_progress(
    queue: Emulator, worker: WorkerProcess, videos: Path
) -> None:
    asked = long_preview()
    job = queue.submit(asked)
    in_stage(worker, job, "sampling")
    with worker.paused(ENGINE):
        queue.wait_progress(job, 3)
    video = queue.wait_result(job, JOB_SECONDS)["output"]
    assert Path(video["path"]) == videos / f"{job.id}.mp4"
    assert Path(video["path"]).stat().st_size == video["bytes"]
    assert video["seed"] == asked["seed"]
    queue.wait_result(queue.submit(DRY_RUN))
    assert len(job.results) == 1
    assert job.status == "COMPLETED"
    percents = [post.body["output"]["percent"] for post in job.progress]
    assert percents == sorted(percents)
    sent = [request.at for request in queue.seen(Route.PROGRESS, job)]
    assert all(later - earlier > 1.4 for earlier, later in pairwise(sent))


def test_what_is_delivered_is_the_signed_file(queue: Emulator, worker: WorkerProcess) -> None:
    video = queue.wait_result(queue.submit(preview()), JOB_SECONDS)["output"]
    path = Path(video["path"])
    state, claim = read(path, SIGNER)
    assert state == "Trusted"
    assert claim["claim_generator_info"][0]["name"] == "ltx2-worker"
    assert sha256(path.read_bytes()).hexdigest() == video["sha256"]
    assert path.stat().st_size == video["bytes"]
    assert inspect(path).moov_first
    assert "PRIVATE KEY" not in worker.output
    assert "BEGIN" not in worker.output


def test_a_job_s_trace_and_figures_reach_the_receiver(queue: Emulator, receiver: Receiver) -> None:
    job = queue.submit(preview())
    queue.wait_result(job, JOB_SECONDS)
    stages = {"preparing", "waiting", "sampling", "decoding", "delivering"}
    spans = receiver.wait_spans(job.id, {"job", *stages})
    assert {span.trace_id for span in spans.values()} == {trace_id(job.id).to_bytes(16, "big")}
    assert attributes_of(spans["job"])["ltx2.outcome"] == "job done"
    assert receiver.wait_metric("ltx2.jobs", outcome="done") >= 1
    assert receiver.wait_metric("ltx2.stage.duration", stage="sampling") >= 1
    assert receiver.wait_metric("ltx2.engine.boot.duration") >= 1


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_bucket_of_the_job_s_own_is_refused_where_the_operator_does_not_allow_it(
    queue: Emulator, dry_run: bool
) -> None:
    own = {"accessId": "a", "accessSecret": "b", "bucketName": "videos", "endpointUrl": "https://example.com"}
    answer = queue.wait_result(queue.submit(preview() | {"dry_run": dry_run}, s3Config=own), JOB_SECONDS)
    assert (answer["output"]["code"], answer["output"]["field"]) == ("invalid_input", "s3Config")


def test_what_the_log_says_of_a_job_s_media_names_the_job(queue: Emulator, worker: WorkerProcess) -> None:
    job = queue.submit(preview() | {"image_url": "http://127.0.0.1:1/start.png"})
    assert queue.wait_result(job, JOB_SECONDS)["output"]["field"] == "image_url"
    assert any(line["event"].startswith("media refused") for line in log_of(worker, job))


def test_a_delivered_job_is_one_line_with_what_a_dashboard_needs(
    queue: Emulator, worker: WorkerProcess
) -> None:
    job = queue.submit(preview())
    output = queue.wait_result(job, JOB_SECONDS)["output"]
    (line,) = (line for line in log_of(worker, job) if line["event"] == "job done")
    same = ("mode", "quality", "preview", "credits", "bytes", "timings")
    assert {name: line[name] for name in same} == {name: output[name] for name in same}
    assert (line["size"], line["seconds"], line["checkpoint"]) == (
        "448x256",
        1,
        output["versions"]["checkpoint"],
    )
    assert line["recorded"] is True
    assert 0 < line["upload_seconds"] < line["job_seconds"]
    assert line["job_seconds"] >= sum(line["timings"].values()) - 0.1
    assert line["device"] == "cpu"
    assert line["revision"] == output["versions"]["revision"] == "0123abc"


def test_the_second_job_starts_on_the_engine_while_the_first_is_delivered(
    queue: Emulator, worker: WorkerProcess
) -> None:
    first = queue.submit(long_preview())
    second = queue.submit(preview())
    in_stage(worker, first, "sampling")
    with worker.paused(ENGINE):
        in_stage(worker, second, "waiting")
        assert not first.results
    queue.wait_result(second, JOB_SECONDS)
    assert first.results[0].at < second.results[0].at
    started = next(line["time"] for line in log_of(worker, second) if line.get("stage") == "loading")
    delivered = next(line["time"] for line in log_of(worker, first) if line["event"] == "job done")
    assert started < delivered


def test_a_slow_encoder_holds_up_no_other_job(queue: Emulator, worker: WorkerProcess) -> None:
    first = queue.submit(preview())
    with held_while_encoding(worker, first):
        second = queue.submit(preview())
        assert "error" not in queue.wait_result(second, JOB_SECONDS)
        assert not first.results
    assert "error" not in queue.wait_result(first, JOB_SECONDS)


def test_an_engine_killed_while_an_earlier_job_is_encoded_does_not_cost_that_one(
    queue: Emulator, worker: WorkerProcess
) -> None:
    first = queue.submit(preview())
    with held_while_encoding(worker, first):
        second = queue.submit(long_preview())
        in_stage(worker, second, "sampling")
        (engine,) = worker.descendants(ENGINE)
        engine.kill()
        worker.wait_output(f'"event": "job run again", "job_id": "{second.id}"', JOB_SECONDS)
    for job in (first, second):
        assert "error" not in queue.wait_result(job, JOB_SECONDS)
    assert [line["event"] for line in log_of(worker, first)].count("job run again") == 0


def test_a_job_that_is_stopped_while_it_is_encoded_leaves_nothing(
    queue: Emulator, worker: WorkerProcess, videos: Path, scratch: Callable[[], list[Path]]
) -> None:
    job = queue.submit(preview())
    with held_while_encoding(worker, job):
        queue.cancel(job)
        worker.wait_output(f'"event": "job cancelled", "job_id": "{job.id}"', 20)
    assert not job.results
    assert not worker.descendants(ENCODER)
    assert not list(videos.glob(f"{job.id}*"))
    assert not scratch()


@pytest.mark.parametrize("stopped_one", [0, 1], ids=["generating", "waiting"])
def test_stopping_one_of_two_jobs_leaves_the_other_alone(
    queue: Emulator,
    worker: WorkerProcess,
    videos: Path,
    scratch: Callable[[], list[Path]],
    stopped_one: int,
) -> None:
    jobs = [queue.submit(long_preview()), queue.submit(preview())]
    stopped, other = jobs[stopped_one], jobs[1 - stopped_one]
    in_stage(worker, jobs[0], "sampling")
    with worker.paused(ENGINE):
        in_stage(worker, jobs[1], "waiting")
        queue.cancel(stopped)
        worker.wait_output(f'{{"requestId": "{stopped.id}", "message": "Stopping job."')
    assert "error" not in queue.wait_result(other, JOB_SECONDS)
    assert "job cancelled" in [line["event"] for line in log_of(worker, stopped)]
    assert not stopped.results
    assert not list(videos.glob(f"{stopped.id}*"))
    assert not scratch()


def test_bad_input_is_answered_with_a_sentence_and_nothing_of_this_machine(queue: Emulator) -> None:
    job = queue.submit({"prompt": "A cat.", "resolution": "4k", "fps": 25})
    reply = queue.wait_result(job)
    assert reply["output"]["code"] == "invalid_input"
    assert {fault["field"] for fault in reply["output"]["faults"]} == {"resolution", "fps"}
    told = json.dumps(reply)
    assert not [secret for secret in ("Traceback", HOST_NAME, str(HANDLER.parent), ".py") if secret in told]


@pytest.mark.parametrize("raw", [None, "text", [], {}, {"prompt": 1}, {"prompt": "x", "control": [1]}])
def test_input_of_any_shape_is_answered(queue: Emulator, raw: Any) -> None:
    job = queue.submit(raw)
    assert queue.wait_result(job)["output"]["code"] == "invalid_input"


@pytest.mark.parametrize("fault", [refused(500), refused(429), unanswered(0), unanswered(2), LOST_REPLY])
def test_a_failed_take_loses_no_job(queue: Emulator, fault: Fault) -> None:
    queue.inject(Route.TAKE, fault)
    jobs = [queue.submit(DRY_RUN) for _ in range(3)]
    for job in jobs:
        queue.wait_result(job, 20)
        assert "error" not in only_result(job)


@pytest.mark.parametrize(
    "faults",
    [
        [refused(500), refused(502)],
        [refused(429)],
        [unanswered(0), unanswered(0)],
        [unanswered(2)],
        [refused(500)] * 4,
    ],
    ids=["server error", "too many requests", "cut off", "no answer", "long outage"],
)
def test_a_result_is_posted_until_it_arrives(queue: Emulator, faults: list[Fault]) -> None:
    queue.inject(Route.RESULT, *faults)
    job = queue.submit(DRY_RUN)
    queue.wait_result(job, 40)
    assert only_result(job)["output"]["job_id"] == job.id


def test_a_result_whose_reply_is_lost_is_posted_again_unchanged(queue: Emulator) -> None:
    queue.inject(Route.RESULT, LOST_REPLY)
    job = queue.submit(DRY_RUN)
    queue.wait_for(lambda: len(job.results) == 2, "the result is posted again", 20)
    assert job.results[0].body == job.results[1].body


@pytest.mark.parametrize("fault", [refused(500), unanswered(0), slow(2)])
def test_a_progress_post_that_fails_or_is_late_never_follows_the_result(
    queue: Emulator, worker: WorkerProcess, fault: Fault
) -> None:
    queue.inject(Route.PROGRESS, *[fault] * 2)
    job = queue.submit(long_preview())
    in_stage(worker, job, "sampling")
    with worker.paused(ENGINE):
        queue.wait_for(lambda: len(queue.seen(Route.PROGRESS, job)) > 2, "progress posts", 20)
    queue.wait_result(job, JOB_SECONDS)
    assert [request.fault for request in queue.seen(Route.PROGRESS, job)][:2] == [fault] * 2
    queue.wait_result(queue.submit(DRY_RUN))
    assert job.status == "COMPLETED"


def test_the_same_job_given_twice_is_generated_once(queue: Emulator, worker: WorkerProcess) -> None:
    job = queue.submit(preview())
    queue.wait_result(job, JOB_SECONDS)
    queue.deliver_again(job)
    queue.wait_for(lambda: len(job.results) == 2, "the second answer")
    assert job.results[0].body["output"]["sha256"] == job.results[1].body["output"]["sha256"]
    assert [line.get("stage") for line in log_of(worker, job)].count("sampling") == 1


def test_the_same_job_given_twice_at_once_is_generated_once(queue: Emulator, worker: WorkerProcess) -> None:
    job = queue.submit(preview())
    queue.deliver_again(job)
    queue.wait_for(lambda: len(job.results) == 2, "two answers", JOB_SECONDS)
    assert job.results[0].body["output"]["sha256"] == job.results[1].body["output"]["sha256"]
    assert [line.get("stage") for line in log_of(worker, job)].count("sampling") == 1


def test_a_killed_encoder_costs_no_job(queue: Emulator, worker: WorkerProcess) -> None:
    job = queue.submit(long_preview())
    in_stage(worker, job, "sampling")
    for encoder in worker.descendants(ENCODER):
        encoder.kill()
    assert "error" not in queue.wait_result(job, JOB_SECONDS)
    assert '"event": "encoder lost"' in worker.output


def test_an_engine_killed_between_jobs_costs_no_job(queue: Emulator, worker: WorkerProcess) -> None:
    ready = worker.output.count('"event": "engine booted"')
    (engine,) = worker.descendants(ENGINE)
    engine.kill()
    job = queue.submit(preview())
    assert "error" not in queue.wait_result(job, BOOT_SECONDS + JOB_SECONDS)
    assert worker.output.count('"event": "engine booted"') == ready + 1


def test_the_same_request_sent_twice_at_once_is_generated_once(
    queue: Emulator, worker: WorkerProcess
) -> None:
    job_input = preview() | {"request_id": "order-7"}
    first, second = queue.submit(job_input), queue.submit(job_input)
    one, two = (queue.wait_result(job, JOB_SECONDS)["output"] for job in (first, second))
    assert (one["sha256"], one["job_id"]) == (two["sha256"], two["job_id"])
    lines = [*log_of(worker, first), *log_of(worker, second)]
    assert [line.get("stage") for line in lines].count("sampling") == 1
    third = queue.submit(job_input | {"prompt": "Another one."})
    other = queue.wait_result(third, JOB_SECONDS)["output"]
    assert other["job_id"] == third.id, "the same request_id with another input is another job"

"""SIGTERM in each stage, two jobs in hand: each is answered once, by a video or one retryable sentence."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mypy_boto3_s3 import S3Client

from local.runpod import Emulator, Job
from tests.platform.conftest import StartWorker
from tests.platform.jobs import ENCODER, ENGINE, JOB_SECONDS, in_stage, long_preview, only_result, preview
from tests.platform.worker_process import WorkerProcess
from tests.storage.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, Proxy

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(400)]

STAGES = ("fetching", "queued", "loading", "sampling", "decoding", "encoding", "uploading")


class SlowImage:
    """A server whose image comes when it is let go."""

    def __init__(self) -> None:
        asked, let_go = self.asked, self.let_go = threading.Event(), threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.set()
                let_go.wait(JOB_SECONDS)
                self.send_error(404)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/start.png"


@pytest.fixture
def slow_image() -> Iterator[SlowImage]:
    image = SlowImage()
    thread = threading.Thread(target=image.server.serve_forever, daemon=True)
    thread.start()
    yield image
    image.let_go.set()
    image.server.shutdown()
    image.server.server_close()


@pytest.fixture
def bucket_environment(proxy: Proxy, bucket: S3Client) -> dict[str, str]:
    return {
        "BUCKET_ENDPOINT_URL": proxy.url,
        "BUCKET_NAME": BUCKET,
        "BUCKET_ACCESS_KEY_ID": ACCESS_KEY,
        "BUCKET_SECRET_ACCESS_KEY": SECRET_KEY,
    }


Reach = Callable[[WorkerProcess, Job, ExitStack], None]


def held_in(stage: str, process: str) -> Reach:
    """The job has entered a stage, and a process is stopped there."""

    def reach(worker: WorkerProcess, job: Job, stack: ExitStack) -> None:
        in_stage(worker, job, stage)
        if worker.descendants(process):
            stack.enter_context(worker.paused(process))

    return reach


REACH: dict[str, Reach] = {
    "queued": held_in("waiting", ENGINE),
    "loading": held_in("loading", ENGINE),
    "sampling": held_in("sampling", ENGINE),
    "decoding": held_in("decoding", ENGINE),
    "encoding": held_in("decoding", ENCODER),
}


@pytest.mark.parametrize("grace", ["0", "300"], ids=["no time", "time"])
@pytest.mark.parametrize("stage", STAGES)
def test_each_of_two_jobs_is_answered_once_and_nothing_is_left(  # noqa: PLR0917 - fixtures
    runpod: Emulator,
    start_worker: StartWorker,
    slow_image: SlowImage,
    proxy: Proxy,
    bucket_environment: dict[str, str],
    stage: str,
    grace: str,
) -> None:
    environment = bucket_environment | {"LTX2_ALLOW_PRIVATE_URLS": "1", "LTX2_FETCH_TIMEOUT": "20"}
    worker = start_worker(LTX2_SHUTDOWN_GRACE=grace, **environment)
    media = {"image_url": slow_image.url} if stage == "fetching" else {}
    jobs = [runpod.submit(long_preview() | media), runpod.submit(preview())]
    with ExitStack() as stack:
        if stage == "fetching":
            assert slow_image.asked.wait(JOB_SECONDS)
            runpod.wait_taken(jobs[1], JOB_SECONDS)
        elif stage == "uploading":
            uploading = threading.Event()

            def is_video(request: object) -> bool:
                wanted = getattr(request, "path", "").endswith(".mp4")
                if wanted:
                    uploading.set()
                return wanted

            proxy.fail_always("hang", where=is_video)
            assert uploading.wait(JOB_SECONDS)
        else:
            REACH[stage](worker, jobs[0], stack)
        worker.terminate()
        worker.wait_output('"event": "shutting down"', 20)
        if grace == "0":
            for job in jobs:
                if job.taken:
                    runpod.wait_result(job, 60)
    proxy.heal()
    slow_image.let_go.set()
    assert worker.wait_exit(JOB_SECONDS) == 0
    for job in jobs:
        if job.taken:
            result = only_result(job)
            unreachable = stage == "fetching" and job is jobs[0]
            assert "error" not in result or result["output"]["retryable"] or unreachable
            if grace == "300" and not unreachable:
                assert "error" not in result
    assert jobs[0].taken
    assert not worker.survivors(timeout=30)

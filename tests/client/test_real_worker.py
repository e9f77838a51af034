"""The client against the real worker on the real engine, behind RunPod's API, with a bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from pydantic import SecretStr

from local.runpod import Emulator
from ltx2_api.errors import ErrorCode
from ltx2_client import Bucket, Client, JobFailed, Journal, Scene, State
from ltx2_client.events import Done, Event
from ltx2_client.last_frame import last_frame
from tests.platform.conftest import HANDLER, worker_environment
from tests.platform.jobs import BOOT_SECONDS, JOB_SECONDS, in_stage, long_preview, preview
from tests.platform.worker_process import WorkerProcess
from tests.storage.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, moto_server

pytestmark = [pytest.mark.engine, pytest.mark.timeout(500)]


@dataclass(frozen=True)
class Endpoint:
    """An emulated endpoint with one real worker and a real S3 server."""

    runpod: Emulator
    worker: WorkerProcess
    s3: str


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    home = tmp_path_factory.mktemp("home")
    with moto_server() as s3, Emulator() as runpod:
        environment = worker_environment(runpod, home) | {
            "BUCKET_ENDPOINT_URL": s3,
            "BUCKET_NAME": BUCKET,
            "BUCKET_ACCESS_KEY_ID": ACCESS_KEY,
            "BUCKET_SECRET_ACCESS_KEY": SECRET_KEY,
            "LTX2_OUTPUT_DIR": "",
        }
        with WorkerProcess.python(HANDLER, environment, home) as worker:
            yield Endpoint(runpod, worker, s3)
            print(worker.output)


@pytest.fixture
def client(endpoint: Endpoint, journal: Journal) -> Iterator[Client]:
    bucket = Bucket(endpoint.s3, BUCKET, SecretStr(ACCESS_KEY), SecretStr(SECRET_KEY))
    with Client("ltx2", "any", url=endpoint.runpod.base_url, journal=journal, bucket=bucket) as client:
        yield client


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_video_comes_and_is_found_in_the_bucket_when_runpod_has_forgotten_it(
    endpoint: Endpoint, client: Client, tmp_path: Path
) -> None:
    events: list[Event] = []
    video = client.run(preview(), on=events.append, timeout=BOOT_SECONDS + JOB_SECONDS)
    assert frames(video.download(tmp_path / "a.mp4")) == 24
    # Progress is posted every 1.5 s; a preview on a quiet machine may be done before.
    assert isinstance(events[-1], Done)
    endpoint.runpod.forget(endpoint.runpod.jobs[video.job_id])
    again = client.handle(video.job_id).wait()
    assert (again.sha256, again.seed, again.timings) == (video.sha256, video.seed, video.timings)
    assert again.download(tmp_path / "b.mp4").read_bytes() == (tmp_path / "a.mp4").read_bytes()


def test_a_plan_and_a_refusal_are_the_workers_own(client: Client) -> None:
    plan = client.plan({"prompt": "A kite.", "duration": 20}, timeout=BOOT_SECONDS)
    assert (plan.credits, plan.frames, plan.dry_run) == (60, 480, True)
    with pytest.raises(JobFailed) as caught:
        client.run(preview() | {"image_url": "http://127.0.0.1/private.png"}, timeout=JOB_SECONDS)
    assert caught.value.code in {
        ErrorCode.MEDIA_REJECTED,
        ErrorCode.MEDIA_UNREACHABLE,
        ErrorCode.INVALID_INPUT,
    }
    assert caught.value.field == "image_url"


def test_a_cancelled_job_stops_on_the_worker(endpoint: Endpoint, client: Client) -> None:
    handle = client.submit(long_preview())
    in_stage(endpoint.worker, endpoint.runpod.jobs[handle.id], "sampling")
    assert handle.cancel().state is State.CANCELLED
    endpoint.worker.wait_output('"job cancelled"', 60)


def test_a_story_goes_on_from_the_last_frame_of_what_the_worker_made(client: Client, tmp_path: Path) -> None:
    story = [
        Scene(name="dawn", job=preview()),
        Scene(name="noon", from_last_frame_of="dawn", job=preview()),
    ]
    results = client.batch(story, out=tmp_path / "story")
    assert [result.error for result in results] == [None, None]
    for result in results:
        assert result.file is not None and frames(result.file) == 24
    assert last_frame(tmp_path / "story" / "dawn.mp4").startswith(b"\x89PNG")

"""kill -9 between any two system calls, in the middle of a write, and between a request and its reply."""

# ruff: noqa: PLR0917 - a test's arguments are its fixtures

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.folder import FolderStore
from ltx2_worker.storage.outbox import Outbox
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.record import find_record, store_all
from tests.storage.crashes import Machine
from tests.storage.deliveries import DIGEST, JOB, ONCE, RESULT, artifacts, deliver, ends_with, find
from tests.storage.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, Proxy, Request

CONTENT = b"a finished video" * 1_000
#: More than any of these operations takes; a test that reaches it has met a loop.
MOST_CALLS = 1_000


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    path = tmp_path / "finished.mp4"
    path.write_bytes(CONTENT)
    return path


def killed(work: Callable[[], object]) -> bool:
    """Do work in a process of its own; whether it was killed."""
    with warnings.catch_warnings():
        # From Python 3.12 on, of threads: the child only works on files.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work failed instead of being killed"
    return os.WIFSIGNALED(status)


def no_links(*_: object, **__: object) -> None:
    """As between two file systems: every file is copied."""
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


@pytest.mark.parametrize("copied", [False, True], ids=["linked", "copied"])
def test_a_worker_killed_while_it_keeps_a_video_leaves_it_whole_or_not_at_all(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    if copied:
        monkeypatch.setattr(os, "link", no_links)
    seen = set()
    for call in range(MOST_CALLS):
        folder = tmp_path / "spool"
        Outbox(folder, 5, 10**9).enqueue(artifacts(finished, "earlier"), for_job_bucket=False)

        def keep(call: int = call) -> None:
            with Machine(kill_after=call, for_good=True).running():
                Outbox(tmp_path / "spool", 5, 10**9).enqueue(artifacts(finished), for_job_bucket=False)

        died = killed(keep)
        names = [entry.artifacts.name for entry in Outbox(folder, 5, 10**9).entries()]
        assert names in (["earlier"], ["earlier", JOB])
        assert not list((folder / "outbox").glob(".damaged-*"))
        seen.add(len(names))
        if not died:
            assert names == ["earlier", JOB]
            break
        assert Outbox(folder, 5, 10**9).enqueue(artifacts(finished), for_job_bucket=False)
        assert Outbox(folder, 5, 10**9).find(JOB, DIGEST) is not None
        shutil.rmtree(folder)
    assert call > 20
    assert seen == {1, 2}


@pytest.mark.parametrize("copied", [False, True], ids=["linked", "copied"])
def test_a_worker_killed_while_it_delivers_into_a_folder_leaves_no_record_without_its_video(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    if copied:
        monkeypatch.setattr(os, "link", no_links)
    for call in range(MOST_CALLS):
        folder = tmp_path / "videos"

        def give(call: int = call) -> None:
            with Machine(kill_after=call, for_good=True).running():
                store_all(FolderStore(tmp_path / "videos"), artifacts(finished), Deadline(60))

        died = killed(give)
        found = find_record(FolderStore(folder), JOB, DIGEST, Deadline(60))
        if found is not None:
            assert (folder / f"{JOB}.mp4").read_bytes() == CONTENT
        if not died:
            assert found is not None
            break
        store_all(FolderStore(folder), artifacts(finished), Deadline(60))
        assert find_record(FolderStore(folder), JOB, DIGEST, Deadline(60)) is not None
        shutil.rmtree(folder)
    assert call > 10


@pytest.mark.parametrize("written", [0, 1, 100, len(CONTENT) // 2, len(CONTENT) - 1])
def test_a_worker_killed_in_the_middle_of_a_write_leaves_nothing_that_looks_whole(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    outbox = Outbox(tmp_path / "spool", 5, 10**9)

    def keep() -> None:
        # The kernel writes so many bytes into a file and then kills: setrlimit(2).
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
        outbox.enqueue(artifacts(finished), for_job_bucket=False)

    assert killed(keep)
    assert list(outbox.entries()) == []
    assert outbox.enqueue(artifacts(finished), for_job_bucket=False)
    assert [entry.artifacts.video.read_bytes() for entry in outbox.entries()] == [CONTENT]


DELIVER = """
import sys
from pathlib import Path
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.publish import Publisher
from tests.storage.deliveries import artifacts

publisher = Publisher(Settings())
video = Path(sys.argv[1])
publisher.deliver(artifacts(video, poster=video), publisher.destination(None), Deadline(60))
"""


@pytest.mark.timeout(240)  # of which a busy machine needs most to start a Python that imports boto3
@pytest.mark.parametrize("suffix", [".mp4", ".jpg", ".json"])
def test_a_worker_killed_between_a_request_and_its_reply_is_followed_by_a_right_delivery(
    bucket_settings: Settings,
    proxy: Proxy,
    bucket: S3Client,
    finished: Path,
    deadline: Deadline,
    tmp_path: Path,
    suffix: str,
) -> None:
    environment = os.environ | {
        "BUCKET_ENDPOINT_URL": proxy.url,
        "BUCKET_NAME": BUCKET,
        "BUCKET_ACCESS_KEY_ID": ACCESS_KEY,
        "BUCKET_SECRET_ACCESS_KEY": SECRET_KEY,
        "LTX2_WORK_DIR": str(tmp_path / "work"),
        "LTX2_VOLUME_DIR": str(tmp_path / "no-volume"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    worker = subprocess.Popen([sys.executable, "-c", DELIVER, str(finished)], env=environment)

    def kill(request: Request) -> bool:
        if ends_with(suffix)(request):
            worker.kill()
        return False  # the request itself reaches the store

    proxy.fail_always("reset", where=kill)
    assert worker.wait(110) == -signal.SIGKILL
    proxy.heal()
    publisher = Publisher(bucket_settings, ONCE)
    found = find(publisher, deadline)
    if found is None:
        deliver(publisher, finished, deadline)
        found = find(publisher, deadline)
    assert found is not None
    assert found.result == RESULT
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == CONTENT

"""Several workers on one volume: they keep and deliver at once, and nothing is lost, doubled or damaged."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.folder import FolderStore
from ltx2_worker.storage.outbox import Outbox
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.record import find_record
from tests.storage.deliveries import DIGEST, artifacts

WORKERS = 4
JOBS = [f"job-{number}" for number in range(12)]


def worker_settings(folder: Path) -> Settings:
    return Settings(
        work_dir=folder / "work",
        spool_dir=folder / "volume",
        output_dir=folder / "videos",
        volume_dir=folder / "none",
    )


def finished(folder: Path, job: str) -> Path:
    path = folder / f"{job}.finished"
    path.write_bytes(job.encode() * 10_000)
    return path


def test_workers_that_keep_and_deliver_at_once_deliver_every_video_whole(tmp_path: Path) -> None:
    videos = {job: finished(tmp_path, job) for job in JOBS}
    together = Barrier(WORKERS)

    def work(number: int) -> None:
        outbox = Outbox(tmp_path / "volume", 50, 10**9)
        publisher = Publisher(worker_settings(tmp_path))
        together.wait(60)
        for job in JOBS:  # every worker keeps every job: RunPod gave it to all of them, one after the other
            assert outbox.enqueue(artifacts(videos[job], job), for_job_bucket=False)
            publisher.empty_outbox(Deadline(60))

    with ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(work, number) for number in range(WORKERS)]:
            future.result()
    Publisher(worker_settings(tmp_path)).empty_outbox(Deadline(60))
    for job in JOBS:
        found = find_record(FolderStore(tmp_path / "videos"), job, DIGEST, Deadline(60))
        assert found is not None
        assert (tmp_path / "videos" / f"{job}.mp4").read_bytes() == job.encode() * 10_000
    assert list((tmp_path / "volume" / "outbox").iterdir()) == []


def test_the_same_job_kept_by_all_workers_at_once_is_kept_once(tmp_path: Path) -> None:
    video = finished(tmp_path, "job")
    together = Barrier(WORKERS)

    def keep(_: int) -> bool:
        together.wait(60)
        return Outbox(tmp_path / "volume", 50, 10**9).enqueue(artifacts(video, "job"), for_job_bucket=False)

    with ThreadPoolExecutor(WORKERS) as pool:
        assert Counter(pool.map(keep, range(WORKERS))) == {True: WORKERS}
    assert [entry.artifacts.name for entry in Outbox(tmp_path / "volume", 50, 10**9).entries()] == ["job"]

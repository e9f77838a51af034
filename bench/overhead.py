"""What a job takes beyond the engine's own execution: previews end to end, the delivery of larger videos."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from bench.lab import PREVIEW, bucket_environment, running_worker, scratch, store
from bench.table import Row, milliseconds
from bench.videos import write_noise
from ltx2_worker.deadline import Deadline
from ltx2_worker.media import video
from ltx2_worker.settings import Settings
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.record import Artifacts
from tests.storage.s3_server import BUCKET, client

PREVIEWS = 10
MEGABYTES = (1, 100)
REPEATS = 5


def rows() -> list[Row]:
    """Measure both."""
    return [*_previews(), *(_delivery(megabytes) for megabytes in MEGABYTES)]


def _previews() -> list[Row]:
    """Previews through the SDK's loop; the first one, which loads the weights, does not count."""
    with store() as url, running_worker(url) as lab:
        lab.run(PREVIEW)
        jobs = [lab.run(PREVIEW | {"seed": seed}) for seed in range(PREVIEWS)]
        accepted = [lab.accepted(job) for job in jobs]
        # What the job's three objects cost this store when nothing but the upload happens.
        size = jobs[0].reply["bytes"]
        upload = [_seconds(lambda: _plain_upload(url, size)) for _ in range(PREVIEWS)]
    sdk = [at - job.taken for at, job in zip(accepted, jobs, strict=True)]
    before = [job.prompt.started - at for at, job in zip(accepted, jobs, strict=True)]
    after = [job.answered - job.prompt.ended for job in jobs]
    both = [first + last for first, last in zip(before, after, strict=True)]
    return [
        Row("overhead per job, a preview", milliseconds(both), "60 ms + the upload"),
        Row("... from accepted to execution_start", milliseconds(before)),
        Row("... from execution_success to answered", milliseconds(after)),
        Row("... not counted: in the SDK, which looks at its queue every 100 ms", milliseconds(sdk)),
        Row(f"... upload alone: video of {size / 1000:.0f} kB, poster, record", milliseconds(upload)),
    ]


def _plain_upload(url: str, size: int) -> None:
    s3 = client(url)
    for name, bytes_ in (("plain.mp4", size), ("plain.jpg", 20_000), ("plain.json", 1_000)):
        s3.put_object(Bucket=BUCKET, Key=name, Body=bytes(bytes_))


def _delivery(megabytes: int) -> Row:
    """Checking and delivery of a closed file, less its plain upload."""
    with scratch() as folder, store() as url, _settings(folder, url) as settings:
        source = write_noise(folder / "engine.mp4", megabytes)
        publisher, s3 = Publisher(settings), client(url)
        s3.upload_file(str(source), BUCKET, "warm.mp4")
        differences, uploads = [], []
        for index in range(REPEATS):
            uploads.append(_seconds(lambda: s3.upload_file(str(source), BUCKET, "plain.mp4")))
            whole = _seconds(partial(deliver, publisher, source, folder, f"job-{index}"))
            differences.append(whole - uploads[-1])
    return Row(
        f"overhead of a {megabytes} MB video, from closed file to answer: check, digest, verify",
        f"{milliseconds(differences)} beside an upload of {milliseconds(uploads)}",
        "60 ms + the upload",
    )


def deliver(publisher: Publisher, source: Path, folder: Path, name: str) -> None:
    """What is done to a closed file: it is checked by its index, then delivered with its poster."""
    poster = folder / "poster.jpg"
    poster.write_bytes(bytes(100_000))
    video.inspect(source)
    artifacts = Artifacts(name, name, "digest", source, {}, poster=poster)
    destination = publisher.destination(None)
    assert destination is not None
    publisher.deliver(artifacts, destination, Deadline(600))


@contextmanager
def _settings(folder: Path, url: str) -> Iterator[Settings]:
    own = {"LTX2_WORK_DIR": str(folder / "work"), "LTX2_VOLUME_DIR": str(folder / "no-volume")}
    with patch.dict(os.environ, bucket_environment(url) | own):
        yield Settings()


def _seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun

"""The outbox keeps what a bucket did not take: within its bounds, whole or not at all, and never junk."""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ltx2_worker.storage.outbox import Outbox
from tests.storage.deliveries import DIGEST, artifacts


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"v" * 10_000)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def outbox(folder: Path) -> Outbox:
    return Outbox(folder, 5, 100_000)


def enqueue(outbox: Outbox, content: Path, job: str = "job", age: float = 0) -> Path:
    """Keep a job's video; return its folder."""
    assert outbox.enqueue(artifacts(content, job), for_job_bucket=False)
    entry = outbox.find(job, DIGEST)
    assert entry is not None
    os.utime(entry.folder, (time.time() - age,) * 2)
    return entry.folder


def kept(outbox: Outbox) -> list[str]:
    return [entry.artifacts.name for entry in outbox.entries()]


def test_what_is_kept_survives_its_source_and_is_found(outbox: Outbox, folder: Path, content: Path) -> None:
    poster = content.with_name("poster.jpg")
    poster.write_bytes(b"poster")
    before = artifacts(content, poster=poster)
    assert outbox.enqueue(before, for_job_bucket=True)
    content.unlink()
    poster.unlink()
    entry = Outbox(folder, 5, 100_000).find(before.name, DIGEST)
    assert entry is not None
    assert entry.for_job_bucket
    after = entry.artifacts
    assert (after.job_id, after.input_digest, after.result) == (before.job_id, DIGEST, before.result)
    assert after.video.read_bytes() == b"v" * 10_000
    assert after.poster is not None
    assert after.poster.read_bytes() == b"poster"


@pytest.mark.parametrize(("max_videos", "max_bytes"), [(2, 10**9), (10**9, 25_000)])
def test_the_oldest_make_room(folder: Path, content: Path, max_videos: int, max_bytes: int) -> None:
    outbox = Outbox(folder, max_videos, max_bytes)
    for job, age in (("old", 300), ("middle", 200), ("new", 100)):
        enqueue(outbox, content, job, age)
    assert kept(outbox) == ["middle", "new"]


def test_a_video_larger_than_the_outbox_is_not_kept_and_costs_no_other(folder: Path, content: Path) -> None:
    outbox = Outbox(folder, 5, 15_000)
    enqueue(outbox, content, "small")
    content.unlink()  # what is kept may be a link to it
    content.write_bytes(b"v" * 20_000)
    assert not outbox.enqueue(artifacts(content, "large"), for_job_bucket=False)
    assert kept(outbox) == ["small"]


def test_a_video_that_cannot_be_written_costs_no_other(folder: Path, content: Path) -> None:
    outbox = Outbox(folder, 1, 100_000)
    enqueue(outbox, content, "kept")
    content.unlink()
    assert not outbox.enqueue(artifacts(content, "lost"), for_job_bucket=False)
    assert kept(outbox) == ["kept"]


def test_the_same_id_with_another_input_is_kept_beside_it(outbox: Outbox, content: Path) -> None:
    enqueue(outbox, content)
    content.unlink()
    content.write_bytes(b"second")
    assert outbox.enqueue(artifacts(content, "job", "another-digest"), for_job_bucket=False)
    for digest, expected in ((DIGEST, b"v" * 10_000), ("another-digest", b"second")):
        entry = outbox.find("job", digest)
        assert entry is not None
        assert entry.artifacts.video.read_bytes() == expected


def test_an_outbox_that_cannot_be_written_says_no(folder: Path, outbox: Outbox, content: Path) -> None:
    folder.write_text("a file where the folder should be")
    assert not outbox.enqueue(artifacts(content), for_job_bucket=False)
    assert kept(outbox) == []


def test_what_a_dead_worker_left_half_written_is_not_delivered_and_goes(
    outbox: Outbox, folder: Path, content: Path
) -> None:
    enqueue(outbox, content, "whole")
    for name, age in ((".writing-dead", 7200), (".writing-alive", 0), (".gone-dead", 0)):
        (folder / "outbox" / name).mkdir()
        os.utime(folder / "outbox" / name, (time.time() - age,) * 2)
    assert kept(outbox) == ["whole"]
    hidden = {path.name for path in (folder / "outbox").iterdir() if path.name[0] == "."}
    assert hidden == {".writing-alive"}


def test_an_empty_outbox_has_no_entries(outbox: Outbox) -> None:
    assert kept(outbox) == []


def _cut(entry: Path) -> None:
    (entry / "job.mp4").write_bytes(b"v" * 9_999)


def _emptied(entry: Path) -> None:
    (entry / "job.mp4").write_bytes(b"")


def _flipped(entry: Path) -> None:
    (entry / "job.mp4").write_bytes(b"v" * 9_999 + b"w")


def _nested(entry: Path) -> None:
    (entry / "job.json").write_text("[" * 100_000 + "]" * 100_000)


def _another_record(entry: Path) -> None:
    (entry / "job.json").write_text(json.dumps({"format": 1}))


def _huge_record(entry: Path) -> None:
    (entry / "job.json").write_bytes(b" " * 1_000_000)


def _piped_record(entry: Path) -> None:
    (entry / "job.json").unlink()
    os.mkfifo(entry / "job.json")


def _piped_video(entry: Path) -> None:
    (entry / "job.mp4").unlink()
    os.mkfifo(entry / "job.mp4")


def _linked_video(entry: Path) -> None:
    (entry / "job.mp4").unlink()
    (entry / "job.mp4").symlink_to("/etc/passwd")


def _without_video(entry: Path) -> None:
    (entry / "job.mp4").unlink()


def _foreign_names(entry: Path) -> None:
    record = json.loads((entry / "job.json").read_text())
    record["files"] = {"../../job.mp4": 10_000}
    (entry / "job.json").write_text(json.dumps(record))


def _no_folder(entry: Path) -> None:
    entry.rename(entry.with_name(".gone-test"))
    entry.write_text("a file where the folder should be")


def _link_to_itself(entry: Path) -> None:
    entry.rename(entry.with_name(".gone-test"))
    entry.symlink_to(entry)


DAMAGES = [
    _cut,
    _emptied,
    _flipped,
    _nested,
    _another_record,
    _huge_record,
    _piped_record,
    _piped_video,
    _linked_video,
    _without_video,
    _foreign_names,
    _no_folder,
    _link_to_itself,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_set_aside_and_costs_no_other_video(
    outbox: Outbox,
    folder: Path,
    content: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    entry = enqueue(outbox, content, age=100)
    content.unlink()  # what is kept may be a link to it
    content.write_bytes(b"whole")
    whole = enqueue(outbox, content, "whole")
    damage(entry)

    assert kept(outbox) == ["whole"]
    assert outbox.find("job", DIGEST) is None
    set_aside = [path for path in (folder / "outbox").iterdir() if path.name.startswith(".damaged-job")]
    assert len(set_aside) == 1
    assert [record.levelno for record in caplog.records if record.msg == "outbox entry damaged"] == [
        logging.ERROR
    ]
    # The same job, done again, is kept in its place.
    content.unlink()
    content.write_bytes(b"again" * 2_000)
    assert enqueue(outbox, content) == entry
    assert whole.is_dir()


def test_what_was_set_aside_is_the_first_to_make_room(folder: Path, content: Path) -> None:
    outbox = Outbox(folder, 2, 100_000)
    enqueue(outbox, content, "old", 300)
    _without_video(enqueue(outbox, content, "job", 100))
    assert kept(outbox) == ["old"]
    enqueue(outbox, content, "new")
    assert kept(outbox) == ["old", "new"]
    assert not [path for path in (folder / "outbox").iterdir() if path.name.startswith(".")]


def test_an_entry_that_version_0_1_kept_is_found_and_forgotten(
    outbox: Outbox, folder: Path, content: Path
) -> None:
    older = write_older_entry(folder, "job", content)
    assert kept(outbox) == ["job"]
    assert outbox.find("job", "another-digest") is None
    entry = outbox.find("job", DIGEST)
    assert entry is not None
    assert entry.for_job_bucket
    assert entry.artifacts.video.read_bytes() == content.read_bytes()
    assert entry.artifacts.result == {"seed": 7}
    outbox.forget(entry)
    assert not older.exists()
    assert kept(outbox) == []


@pytest.mark.parametrize(
    "note", ["{}", "[" * 100_000, '{"job_id": "other", "input_digest": "", "where": "bucket", "result": {}}']
)
def test_a_damaged_entry_of_version_0_1_is_set_aside(
    outbox: Outbox, folder: Path, content: Path, note: str
) -> None:
    older = write_older_entry(folder, "job", content)
    (older / "entry.json").write_text(note)
    assert outbox.find("job", DIGEST) is None
    assert not older.exists()


def test_what_lies_beside_the_outbox_is_left_alone(outbox: Outbox, folder: Path, content: Path) -> None:
    strangers = folder / "models" / "checkpoint.safetensors"
    strangers.parent.mkdir(parents=True)
    strangers.write_bytes(b"m" * 1_000_000)
    hidden = folder / ".ssh"
    hidden.mkdir()
    os.utime(hidden, (0, 0))
    for job in "abcdefgh":
        enqueue(outbox, content, job)
    assert outbox.find("models", DIGEST) is None
    assert len(kept(outbox)) == 5
    assert strangers.stat().st_size == 1_000_000
    assert hidden.is_dir()


def write_older_entry(folder: Path, job: str, content: Path) -> Path:
    """What version 0.1 wrote."""
    entry = folder / job
    entry.mkdir(parents=True)
    (entry / f"{job}.mp4").write_bytes(content.read_bytes())
    note = {"job_id": job, "input_digest": DIGEST, "where": "job_bucket", "result": {"seed": 7}}
    (entry / "entry.json").write_text(json.dumps(note))
    return entry

"""The spool keeps what a bucket did not take, within its bounds, and nothing half-made."""

import os
import time
from pathlib import Path

import pytest

from ltx2_worker.storage.spool import Spool


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"v" * 1000)
    return path


def kept(spool: Spool) -> list[str]:
    return [entry.name for entry in spool.entries()]


def keep(spool: Spool, folder: Path, name: str, content: Path, age: float = 0) -> bool:
    done = spool.keep(name, {f"{name}.mp4": content}, {"job_id": name})
    if done:
        os.utime(folder / name, (time.time() - age,) * 2)
    return done


def test_what_is_kept_survives_its_source_and_is_found(tmp_path: Path, content: Path) -> None:
    spool = Spool(tmp_path / "spool", 5, 10_000)
    assert keep(spool, tmp_path / "spool", "a", content)
    content.unlink()
    entry = Spool(tmp_path / "spool", 5, 10_000).find("a")
    assert entry is not None
    assert entry.note == {"job_id": "a"}
    assert (entry.folder / "a.mp4").read_bytes() == b"v" * 1000


@pytest.mark.parametrize(("max_videos", "max_bytes"), [(2, 10**9), (10**9, 2_100)])
def test_the_oldest_make_room(tmp_path: Path, content: Path, max_videos: int, max_bytes: int) -> None:
    spool = Spool(tmp_path / "spool", max_videos, max_bytes)
    for name, age in (("old", 300), ("middle", 200), ("new", 100)):
        assert keep(spool, tmp_path / "spool", name, content, age)
    assert kept(spool) == ["middle", "new"]


def test_a_video_larger_than_the_spool_is_not_kept_and_costs_no_other(tmp_path: Path, content: Path) -> None:
    spool = Spool(tmp_path / "spool", 5, 1_500)
    assert keep(spool, tmp_path / "spool", "small", content)
    content.write_bytes(b"v" * 2000)
    assert not keep(spool, tmp_path / "spool", "large", content)
    assert kept(spool) == ["small"]


def test_a_job_kept_again_replaces_its_entry(tmp_path: Path, content: Path) -> None:
    spool = Spool(tmp_path / "spool", 5, 10_000)
    keep(spool, tmp_path / "spool", "a", content)
    content.unlink()
    content.write_bytes(b"second")
    keep(spool, tmp_path / "spool", "a", content)
    entry = spool.find("a")
    assert entry is not None
    assert (entry.folder / "a.mp4").read_bytes() == b"second"


def test_a_spool_that_cannot_be_written_says_no(tmp_path: Path, content: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    assert not keep(Spool(tmp_path / "spool", 5, 10_000), tmp_path / "spool", "a", content)


def test_what_a_dead_worker_left_half_made_is_not_delivered_and_goes(tmp_path: Path, content: Path) -> None:
    spool = Spool(tmp_path / "spool", 5, 10_000)
    keep(spool, tmp_path / "spool", "whole", content)
    for name, age in ((".dead.1", 7200), (".writing.2", 0)):
        (tmp_path / "spool" / name).mkdir()
        os.utime(tmp_path / "spool" / name, (time.time() - age,) * 2)
    (tmp_path / "spool" / "no-entry").mkdir()
    assert kept(spool) == ["whole"]
    assert not (tmp_path / "spool" / ".dead.1").exists()
    assert (tmp_path / "spool" / ".writing.2").exists()


def test_an_empty_spool_has_no_entries(tmp_path: Path) -> None:
    assert kept(Spool(tmp_path / "never-made", 5, 10_000)) == []

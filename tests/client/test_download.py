"""Fetching a video: gone on with where it stopped, refused when it is not right, never half there."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from local.runpod import Emulator, Route
from ltx2_api.reply import VideoResult
from ltx2_client import BadDownload, Client, Handle, Video
from ltx2_client import downloading as downloading_module
from ltx2_client.events import Downloading, Event
from ltx2_client.journal import Entered, Journal
from tests.client.conftest import VIDEO
from tests.client.file_server import FileServer
from tests.client.outputs import video_output

JOB = {"prompt": "A kite.", "preview": True}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading_module, "back_off", lambda failures: 0.01)


@pytest.fixture
def video(client: Client, store: FileServer) -> Video:
    """A finished job whose file is in the store."""
    store.files["/v.mp4"] = VIDEO
    store.files["/v.jpg"] = b"\xff\xd8 a poster"
    output = video_output("job-1", VIDEO, store.link("/v.mp4"), poster_url=store.link("/v.jpg"))
    return Video.of(VideoResult.model_validate(output), Handle(client, "job-1"))


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_a_video_is_fetched_whole_and_nothing_is_left_beside_it(video: Video, tmp_path: Path) -> None:
    events: list[Event] = []
    path = video.download(tmp_path / "out" / "kite.mp4", on=events.append)
    assert path.read_bytes() == VIDEO
    assert not left_over(path.parent)
    told = [event.received for event in events if isinstance(event, Downloading)]
    assert told == sorted(told) and told[-1] == len(VIDEO)


def test_a_download_cut_at_half_goes_on_from_there(video: Video, store: FileServer, tmp_path: Path) -> None:
    store.faults = ["cut"]
    path = video.download(tmp_path / "kite.mp4")
    assert path.read_bytes() == VIDEO
    ranges = [wanted for _, wanted in store.asked]
    assert ranges == [None, f"bytes={len(VIDEO) // 2}-"]


def test_a_download_that_a_process_left_is_gone_on_with_by_the_next(
    video: Video, store: FileServer, tmp_path: Path
) -> None:
    store.faults = ["cut", *[500] * downloading_module.TRIES]
    with pytest.raises(BadDownload):
        video.download(tmp_path / "kite.mp4")
    assert not (tmp_path / "kite.mp4").exists()
    store.asked.clear()
    video.download(tmp_path / "kite.mp4")
    assert store.asked == [("/v.mp4", f"bytes={len(VIDEO) // 2}-")]
    assert (tmp_path / "kite.mp4").read_bytes() == VIDEO


def test_a_byte_that_was_flipped_on_the_way_is_noticed_and_fetched_again(
    video: Video, store: FileServer, tmp_path: Path
) -> None:
    store.faults = ["flip"]
    path = video.download(tmp_path / "kite.mp4")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == video.sha256
    assert len(store.asked) == 2


def test_a_flipped_byte_in_the_store_is_refused_and_leaves_no_video(
    video: Video, store: FileServer, tmp_path: Path
) -> None:
    store.files["/v.mp4"] = VIDEO[:-1] + b"?"
    with pytest.raises(BadDownload, match="checksum"):
        video.download(tmp_path / "kite.mp4")
    assert not (tmp_path / "kite.mp4").exists()


@pytest.mark.parametrize("other", [VIDEO + b"more", VIDEO[:-9]], ids=["longer", "shorter"])
def test_a_file_of_another_length_is_refused_before_it_is_fetched(
    video: Video, store: FileServer, tmp_path: Path, other: bytes
) -> None:
    store.files["/v.mp4"] = other
    with pytest.raises(BadDownload, match="bytes"):
        video.download(tmp_path / "kite.mp4")


def test_a_store_that_ignores_ranges_starts_over(video: Video, store: FileServer, tmp_path: Path) -> None:
    store.faults = ["cut", "whole"]
    assert video.download(tmp_path / "kite.mp4").read_bytes() == VIDEO


def test_another_file_is_never_replaced_unasked(video: Video, store: FileServer, tmp_path: Path) -> None:
    target = tmp_path / "kite.mp4"
    target.write_bytes(b"somebody's")
    with pytest.raises(BadDownload, match="is there already"):
        video.download(target)
    assert target.read_bytes() == b"somebody's"
    assert video.download(target, overwrite=True).read_bytes() == VIDEO


def test_a_video_that_is_there_is_not_fetched_again(video: Video, store: FileServer, tmp_path: Path) -> None:
    video.download(tmp_path / "kite.mp4")
    store.asked.clear()
    video.download(tmp_path / "kite.mp4")
    assert not store.asked


def test_a_folder_gets_a_file_named_after_the_job(video: Video, tmp_path: Path) -> None:
    assert video.download(tmp_path) == tmp_path / "job-1.mp4"
    assert video.download(tmp_path, poster=True) == tmp_path / "job-1.jpg"
    assert (tmp_path / "job-1.jpg").read_bytes() == store_poster


store_poster = b"\xff\xd8 a poster"


def test_an_expired_link_is_renewed_once(
    runpod: Emulator, client: Client, store: FileServer, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    handle = client.submit(JOB)
    fresh = handle.wait()
    store.gone = {"/old.mp4"}
    stale = Video.of(fresh.model_copy(update={"url": store.link("/old.mp4")}), handle)
    asked = len(runpod.seen(Route.STATUS))
    assert stale.download(tmp_path / "kite.mp4").read_bytes() == VIDEO
    assert len(runpod.seen(Route.STATUS)) == asked + 1


def test_a_link_that_nobody_can_renew_says_what_to_do(
    video: Video, store: FileServer, tmp_path: Path
) -> None:
    store.gone = {"/v.mp4"}
    with pytest.raises(BadDownload, match="BUCKET_"):
        video.download(tmp_path / "kite.mp4")
    assert not left_over(tmp_path)


def test_a_video_in_the_reply_is_written_and_checked(client: Client, tmp_path: Path) -> None:
    import base64

    output = video_output("job-2", b"tiny", None, video_base64=base64.b64encode(b"tiny").decode())
    video = Video.of(VideoResult.model_validate(output), Handle(client, "job-2"))
    assert video.download(tmp_path / "a.mp4").read_bytes() == b"tiny"
    wrong = Video.of(video.model_copy(update={"sha256": "0" * 64}), Handle(client, "job-2"))
    with pytest.raises(BadDownload):
        wrong.download(tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_two_processes_do_not_fetch_into_one_file(video: Video, tmp_path: Path) -> None:
    from ltx2_client.part_file import PartFile

    target = tmp_path / "kite.mp4"
    with PartFile(target, video.bytes, video.sha256), pytest.raises(BadDownload, match="another process"):
        video.download(target)


def test_a_job_is_resumed_by_its_id_in_another_process(
    runpod: Emulator, client: Client, journal: Journal, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    job_id = client.submit(JOB).id
    with Client("ltx2", "rp-key-that-nobody-may-see", url=runpod.base_url, journal=journal) as another:
        assert another.handle(job_id).wait().download(tmp_path / "kite.mp4").read_bytes() == VIDEO
    (entry,) = journal.entries()
    assert entry.state is Entered.DONE
    assert len(runpod.seen(Route.RUN)) == 1


def test_a_forgotten_jobs_video_is_fetched_by_what_was_noted(
    runpod: Emulator, client: Client, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    handle = client.submit(JOB)
    handle.wait()
    runpod.forget(runpod.jobs[handle.id])
    assert handle.result().download(tmp_path / "kite.mp4").read_bytes() == VIDEO

"""A start image and a control video from the request to the engine's folder; nothing is left of a failure."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.media.fetch import Source
from ltx2_worker.media.fit import Frame
from ltx2_worker.media.prepare import Prepared, prepare_control, prepare_image, still_as_control
from ltx2_worker.settings import Settings
from tests.media.media_lab import PREVIEW, decoded, encoded, pictures, quartered, write_video
from tests.media.web_lab import Web, serving

HD = Frame(1280, 720, 1280, 768)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


@pytest.fixture
def settings() -> Settings:
    return Settings(allow_private_urls=True)


def inline(content: bytes, field: str = "image_base64") -> Source:
    return Source(field, base64=base64.b64encode(content).decode())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def control(source: Source, into: Path, settings: Settings, deadline: Deadline | None = None) -> Prepared:
    return prepare_control(source, PREVIEW, into, deadline or Deadline(60), settings, fps=24, frames=25)


def test_a_linked_picture_becomes_the_start_image(web: Web, into: Path, settings: Settings) -> None:
    web.content = encoded(quartered(1920, 1080), "JPEG")
    prepared = prepare_image(Source("image_url", url=f"{web.url}/file"), HD, into, Deadline(60), settings)
    assert prepared.warnings == ()
    with Image.open(prepared.path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (1280, 768))
    assert names(into) == ["start_image.png"]


def test_a_linked_video_becomes_the_control_video(
    web: Web, tmp_path: Path, into: Path, settings: Settings
) -> None:
    web.content = write_video(tmp_path / "in", fps=30, frames=31, size=(448, 256)).read_bytes()
    prepared = control(Source("control.video_url", url=f"{web.url}/file"), into, settings)
    assert prepared.warnings == ()
    pictures = decoded(prepared.path)
    assert (len(pictures), pictures[0].size) == (25, (512, 256))
    assert names(into) == ["control.mp4"]


def test_the_start_image_serves_as_control_of_one_frame(into: Path, settings: Settings) -> None:
    image = prepare_image(inline(pictures()["png"]), PREVIEW, into, Deadline(60), settings)
    prepared = still_as_control(image.path, into, Deadline(60), settings, fps=24)
    (only,) = decoded(prepared.path)
    assert only.size == (512, 256)
    assert names(into) == ["control.mp4", "start_image.png"]


def test_warnings_name_the_field(into: Path, settings: Settings) -> None:
    prepared = prepare_image(inline(encoded(quartered(90, 160), "PNG")), HD, into, Deadline(60), settings)
    assert len(prepared.warnings) == 2
    assert all("image_base64" in warning for warning in prepared.warnings)


def test_both_are_prepared_side_by_side(web: Web, tmp_path: Path, into: Path, settings: Settings) -> None:
    web.content = write_video(tmp_path / "in", size=(448, 256)).read_bytes()
    made: dict[str, Prepared] = {}

    def image() -> None:
        made["image"] = prepare_image(inline(pictures()["webp"]), PREVIEW, into, Deadline(60), settings)

    def video() -> None:
        made["video"] = control(Source("control.video_url", url=f"{web.url}/file"), into, settings)

    threads = [threading.Thread(target=image), threading.Thread(target=video)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {prepared.path.name for prepared in made.values()} == {"start_image.png", "control.mp4"}


@pytest.mark.parametrize("content", [b"nothing", pictures()["jpeg"][:300], encoded(quartered(9, 9), "TIFF")])
def test_nothing_is_left_of_a_refused_picture(content: bytes, into: Path, settings: Settings) -> None:
    with pytest.raises(WorkerError) as caught:
        prepare_image(inline(content), PREVIEW, into, Deadline(60), settings)
    assert (caught.value.code, caught.value.field) == (ErrorCode.MEDIA_REJECTED, "image_base64")
    assert names(into) == []


def test_nothing_is_left_of_a_refused_video(tmp_path: Path, into: Path, settings: Settings) -> None:
    whole = write_video(tmp_path / "in", frames=200, options={"movflags": "faststart"}).read_bytes()
    with pytest.raises(WorkerError) as caught:
        prepare_control(
            inline(whole[: len(whole) // 2], "control.video_base64"),
            PREVIEW,
            into,
            Deadline(60),
            settings,
            fps=24,
            frames=241,
        )
    assert (caught.value.code, caught.value.field) == (ErrorCode.MEDIA_REJECTED, "control.video_base64")
    assert names(into) == []


def test_nothing_is_left_of_a_broken_download(web: Web, into: Path, settings: Settings) -> None:
    web.content = pictures()["png"]
    with pytest.raises(WorkerError):
        prepare_image(Source("image_url", url=f"{web.url}/short"), PREVIEW, into, Deadline(60), settings)
    assert names(into) == []


def test_nothing_is_left_of_a_cancelled_job(web: Web, into: Path, settings: Settings) -> None:
    deadline = Deadline(60)

    def cancel_when_asked() -> None:
        if web.arrived.wait(30):
            deadline.cancel()

    threading.Thread(target=cancel_when_asked, daemon=True).start()
    with pytest.raises(Cancelled):
        prepare_image(Source("image_url", url=f"{web.url}/drip-body"), PREVIEW, into, deadline, settings)
    assert names(into) == []


def test_a_decoder_gets_only_so_long(into: Path) -> None:
    noise = encoded(Image.effect_noise((3000, 3000), 99), "PNG", compress_level=1)
    with pytest.raises(WorkerError) as caught:
        prepare_image(inline(noise), HD, into, Deadline(60), Settings(media_timeout=0.01))
    assert caught.value.message == "image_base64 takes too long to decode."
    assert names(into) == []


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "a\nb", "x" * 300, "%2e%2e%2f", "a;rm -rf ."]
)
def test_nothing_of_the_caller_s_reaches_a_path(name: str, web: Web, into: Path, settings: Settings) -> None:
    web.content = pictures()["png"]
    source = Source("image_url", url=f"{web.url}/file/{name}")
    prepared = prepare_image(source, PREVIEW, into, Deadline(60), settings)
    assert prepared.path == into / "start_image.png"
    assert names(into.parent) == ["job"]
    assert names(into) == ["start_image.png"]


@pytest.mark.parametrize(("url", "base64_"), [(None, None), ("https://example.com/x.png", "AAAA")])
def test_a_source_is_a_url_or_base64(url: str | None, base64_: str | None) -> None:
    with pytest.raises(ValueError, match="image"):
        Source("image", url, base64_)

"""Whatever comes in ends as a file that the engine can load, or as a clear error; within time and memory."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.media.control import fit_video
from ltx2_worker.media.image import fit_image
from ltx2_worker.media.isolate import run_isolated
from tests.media.hostile_lab import hostile_picture, hostile_video
from tests.media.measure_lab import measured
from tests.media.media_lab import PREVIEW, SMALL, encoded

FRAMES = 9
SECONDS = 20
#: Kilobytes a child may ever have held; a picture of 50 megapixels in RGB is 150 MB.
MEMORY = 1_000_000

FAST = 150
ALL = 5_000


def outcome(work: Callable[[], list[str]], usage: Path) -> WorkerError | None:
    """What an isolated child made of the file: None if it wrote one. A hang or a crash fails the test."""
    try:
        run_isolated(
            partial(measured, work, usage),
            deadline=Deadline(120),
            seconds=SECONDS,
            too_long=WorkerError(ErrorCode.INTERNAL, "took too long"),
            crashed=WorkerError(ErrorCode.INTERNAL, "crashed, or took too much memory"),
        )
    except WorkerError as error:
        return error
    return None


def check_picture(number: int, folder: Path) -> tuple[str, int]:
    source, target, usage = (folder / f"{number}.{name}" for name in ("in", "png", "kb"))
    source.write_bytes(hostile_picture(number))
    error = outcome(partial(fit_image, source, target, "image_url", PREVIEW, 50_000_000), usage)
    if error is None:
        with Image.open(target) as picture:
            picture.load()
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (512, 256)), number
    return verdict(number, error, "image_url", (source, target, usage))


def check_video(number: int, folder: Path) -> tuple[str, int]:
    source, target, usage = (folder / f"{number}.{name}" for name in ("in", "mp4", "kb"))
    source.write_bytes(hostile_video(number))
    fit = partial(fit_video, fps=24, frames=FRAMES, max_seconds=60, max_side=4096)
    error = outcome(partial(fit, source, target, "control.video_url", SMALL), usage)
    if error is None:
        with av.open(str(target)) as container:
            sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
        assert sizes == [(128, 64)] * FRAMES, number
    return verdict(number, error, "control.video_url", (source, target, usage))


def verdict(number: int, error: WorkerError | None, field: str, files: tuple[Path, ...]) -> tuple[str, int]:
    """The kind of outcome, and the kilobytes it took."""
    if error is not None:
        assert (error.code, error.field) == (ErrorCode.MEDIA_REJECTED, field), (number, error.message)
        assert error.message.startswith(field), (number, error.message)
    kilobytes = int(files[-1].read_text())
    assert kilobytes < MEMORY, number
    for file in files:
        file.unlink(missing_ok=True)
    return (error.message if error else "fitted"), kilobytes


def run_all(
    check: Callable[[int, Path], tuple[str, int]],
    numbers: range,
    folder: Path,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("cases", len(numbers))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(check, numbers, repeat(folder)))
    kinds = Counter(kind for kind, _ in results)
    print(f"\n{len(results)} cases, at most {max(kilobytes for _, kilobytes in results) / 1000:.0f} MB")
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    assert len(results) == len(numbers)
    assert kinds["fitted"] > len(results) // 20
    assert kinds["fitted"] < len(results) // 2


def test_hostile_pictures(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run_all(check_picture, range(FAST), tmp_path, record_property)


def test_hostile_videos(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run_all(check_video, range(FAST), tmp_path, record_property)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_thousand_hostile_pictures(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    run_all(check_picture, range(FAST, FAST + ALL), tmp_path, record_property)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_thousand_hostile_videos(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run_all(check_video, range(FAST, FAST + ALL), tmp_path, record_property)


HEADS = st.sampled_from(
    [
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypheic",
        b"\0\0\0\x18ftypisom",
        b"\0\0\0\x08moov",
        b"\x1aE\xdf\xa3",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=HEADS, rest=st.binary(max_size=300))
def test_any_bytes_at_all(head: bytes, rest: bytes, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(head + rest)
    with pytest.raises(WorkerError) as caught:
        fit_image(source, target, "image_url", SMALL, 50_000_000)
    assert caught.value.code is ErrorCode.MEDIA_REJECTED
    with pytest.raises(WorkerError) as caught:
        fit_video(source, target, "video_url", SMALL, fps=24, frames=9, max_seconds=60, max_side=4096)
    assert caught.value.code is ErrorCode.MEDIA_REJECTED


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "I;16", "P", "1", "HEIC"])
def test_the_largest_allowed_picture_fits_into_memory(mode: str, tmp_path: Path) -> None:
    kind = {"CMYK": "JPEG", "HEIC": "HEIF"}.get(mode, "PNG")
    picture = Image.new("RGB" if mode == "HEIC" else mode, (7071, 7071), 1)
    (tmp_path / "in").write_bytes(encoded(picture, kind))
    fit = partial(fit_image, tmp_path / "in", tmp_path / "out", "image_url", PREVIEW, 50_000_000)
    assert outcome(fit, tmp_path / "kb") is None
    kilobytes = int((tmp_path / "kb").read_text())
    print(f"\n{mode}: {kilobytes / 1000:.0f} MB")
    assert kilobytes < MEMORY

"""Every kind of control video becomes an MP4 of the canvas's size, at the job's rate and length."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.media import container
from ltx2_worker.media.control import fit_video, nearest, still_video
from ltx2_worker.media.fit import Frame
from tests.media.media_lab import (
    BLUE,
    GREEN,
    PREVIEW,
    RED,
    SMALL,
    VIDEO_KINDS,
    Pixel,
    add_video,
    decoded,
    encoded,
    muxer,
    numbered,
    pictures,
    quartered,
    write_video,
)

FIELD = "control.video_url"


def fitted(source: Path, frame: Frame = SMALL, fps: int = 24, frames: int = 9) -> list[Image.Image]:
    target = source.with_suffix(".fitted")
    fit_video(source, target, FIELD, frame, fps=fps, frames=frames, max_seconds=60, max_side=4096)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert len(container.streams) == 1
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (frame.canvas_width, frame.canvas_height)
        assert (stream.average_rate, stream.frames) == (Fraction(fps), frames)
        assert stream.duration is not None
        assert stream.time_base is not None
        assert stream.duration * stream.time_base == Fraction(frames, fps)
    found = decoded(target)
    assert len(found) == frames
    return found


def said(source: Path, fps: int = 24, frames: int = 9, frame: Frame = SMALL) -> list[str]:
    target = source.with_suffix(".fitted")
    return fit_video(source, target, FIELD, frame, fps=fps, frames=frames, max_seconds=60, max_side=4096)


def refusal(source: Path, max_seconds: float = 60, max_side: int = 4096) -> str:
    target = source.with_suffix(".fitted")
    with pytest.raises(WorkerError) as caught:
        fit_video(source, target, FIELD, SMALL, fps=24, frames=9, max_seconds=max_seconds, max_side=max_side)
    assert (caught.value.code, caught.value.field) == (ErrorCode.MEDIA_REJECTED, FIELD)
    return caught.value.message


def close(pixel: Pixel, colour: tuple[int, int, int], tolerance: int = 40) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(is_ - should) <= tolerance for is_, should in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", VIDEO_KINDS)
def test_every_allowed_codec_and_container_is_taken(kind: str, tmp_path: Path) -> None:
    codec, container = VIDEO_KINDS[kind]
    first = fitted(write_video(tmp_path / "in", codec, container))[0]
    assert close(first.getpixel((8, 8)), RED)
    assert close(first.getpixel((120, 8)), GREEN)
    assert close(first.getpixel((8, 56)), BLUE)


@pytest.mark.parametrize(
    ("codec", "container"), [("mpeg4", "mp4"), ("prores_ks", "mov"), ("libvpx", "webm"), ("ffv1", "matroska")]
)
def test_other_codecs_are_refused(codec: str, container: str, tmp_path: Path) -> None:
    assert "H.264, H.265, VP9 or AV1" in refusal(write_video(tmp_path / "in", codec, container))


@pytest.mark.parametrize("container", ["avi", "mpegts", "flv", "nut"])
def test_other_containers_are_refused(container: str, tmp_path: Path) -> None:
    assert "MP4, MOV, WebM or MKV" in refusal(write_video(tmp_path / "in", container=container))


def shown(pictures: list[Image.Image]) -> list[int]:
    """The numbers of the source frames that are seen."""

    def number(picture: Image.Image) -> int:
        pixel = picture.getpixel((64, 32))
        assert isinstance(pixel, tuple)
        return round(pixel[0] / 20)

    return [number(picture) for picture in pictures]


def test_other_frame_rates_are_resampled_by_the_nearest_timestamp(tmp_path: Path) -> None:
    # Frame k of 24 a second is due at k / 24 s: of 30 a second, the nearest is 1.25 k, rounded.
    assert shown(fitted(write_video(tmp_path / "in", fps=30, frames=12))) == [0, 1, 3, 4, 5, 6, 8, 9, 10]


def test_slow_videos_repeat_frames(tmp_path: Path) -> None:
    assert shown(fitted(write_video(tmp_path / "in", fps=8, frames=4))) == [0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_the_last_frame_holds_when_the_video_is_shorter(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in", fps=24, frames=3)
    assert shown(fitted(source)) == [0, 1, 2, 2, 2, 2, 2, 2, 2]
    (told,) = said(source, frames=24)
    assert told == f"{FIELD} is 0.1 s long, the video 1.0 s: its last frame is held."


def test_the_rest_is_cut_when_the_video_is_longer(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in", fps=24, frames=20, size=(128, 64))
    assert shown(fitted(source)) == list(range(9))
    assert said(source) == [f"{FIELD} is 0.8 s long, the video 0.4 s: what is beyond is not used."]


def test_a_video_of_the_job_s_length_is_used_without_a_word(tmp_path: Path) -> None:
    assert said(write_video(tmp_path / "in", fps=24, frames=8, size=(128, 64))) == []


@given(
    gaps=st.lists(st.floats(0.001, 3), max_size=30),
    fps=st.sampled_from([24, 48]),
    frames=st.integers(1, 100),
)
def test_each_frame_shows_the_nearest_picture(gaps: list[float], fps: int, frames: int) -> None:
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    found = [
        picture for picture, times_ in nearest(((t, t) for t in times), fps, frames) for _ in range(times_)
    ]
    assert len(found) == frames
    for index, picture in enumerate(found):
        best = min(abs(time - index / fps) for time in times)
        assert abs(picture - index / fps) == pytest.approx(best, abs=1e-4)


def test_no_more_is_decoded_than_the_job_needs() -> None:
    asked = []

    def endless() -> Iterator[tuple[float, int]]:
        for index in range(10**9):
            asked.append(index)
            yield index / 24, index

    assert [picture for picture, _ in nearest(endless(), 24, 9)] == list(range(9))
    assert len(asked) == 10


@pytest.mark.parametrize(("rotation", "corner"), [(90, GREEN), (180, (255, 255, 255)), (-90, BLUE)])
def test_the_rotation_a_phone_notes_is_applied(
    rotation: int, corner: tuple[int, int, int], tmp_path: Path
) -> None:
    source = write_video(tmp_path / "in", size=(64, 64), rotation=rotation)
    first = fitted(source, Frame(64, 64, 64, 64))[0]
    assert close(first.getpixel((6, 6)), corner)


def test_a_rotated_video_is_fitted_by_its_upright_shape(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in", size=(64, 128), rotation=90, frames=8, fps=24)
    assert said(source) == []


def test_pixels_that_are_not_square_are_shown_square(tmp_path: Path) -> None:
    with muxer(tmp_path / "in", "mp4") as output:
        stream = add_video(output, "libx264", (64, 64), 24)
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for index in range(8):
            output.mux(stream.encode(numbered(index, (64, 64), 24)))
        output.mux(stream.encode(None))
    assert said(tmp_path / "in") == []
    first = fitted(tmp_path / "in")[0]
    assert close(first.getpixel((4, 4)), RED)
    assert close(first.getpixel((124, 4)), GREEN)


def test_the_margin_of_the_canvas_is_the_mirrored_edge(tmp_path: Path) -> None:
    first = fitted(write_video(tmp_path / "in", size=(448, 256)), PREVIEW)[0]
    delivered = first.crop((32, 0, 480, 256))
    assert close(delivered.getpixel((210, 20)), RED)
    assert close(delivered.getpixel((238, 20)), GREEN)
    assert close(first.getpixel((2, 2)), RED)
    assert close(first.getpixel((509, 2)), GREEN)


@pytest.mark.parametrize("size", [(2, 600), (600, 2), (16, 16)])
def test_absurd_shapes_still_fill_the_canvas(size: tuple[int, int], tmp_path: Path) -> None:
    assert len(fitted(write_video(tmp_path / "in", size=size), frames=9)) == 9


def test_a_video_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert "at most 1 s" in refusal(write_video(tmp_path / "in", fps=1, frames=30), max_seconds=1)


def test_a_video_that_is_too_large_is_refused(tmp_path: Path) -> None:
    assert "at most 64 pixels a side" in refusal(write_video(tmp_path / "in"), max_side=64)


def test_two_video_streams_are_refused(tmp_path: Path) -> None:
    with muxer(tmp_path / "in", "mp4") as output:
        streams = [add_video(output, "libx264") for _ in range(2)]
        for stream in streams:
            output.mux(stream.encode(numbered(0, (96, 64), 30)))
            output.mux(stream.encode(None))
    assert "exactly one video stream, not 2" in refusal(tmp_path / "in")


def test_a_file_of_sound_alone_is_refused(tmp_path: Path) -> None:
    with muxer(tmp_path / "in", "mov") as output:
        stream = output.add_stream("pcm_s16le", rate=48_000)
        sound = av.AudioFrame(format="s16", layout="stereo", samples=1024)
        sound.sample_rate, sound.pts, sound.time_base = 48_000, 0, Fraction(1, 48_000)
        output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    assert "not 0" in refusal(tmp_path / "in")


@pytest.mark.parametrize("kind", pictures())
def test_a_picture_is_no_video(kind: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(pictures()[kind])
    assert FIELD in refusal(tmp_path / "in")


@pytest.mark.parametrize("kind", ["h264 mp4", "h264 mkv", "vp9 webm"])
def test_half_a_video_is_refused(kind: str, tmp_path: Path) -> None:
    codec, container = VIDEO_KINDS[kind]
    source = write_video(tmp_path / "in", codec, container, frames=300, options={"movflags": "faststart"})
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    target = source.with_suffix(".fitted")
    with pytest.raises(WorkerError) as caught:
        fit_video(source, target, FIELD, SMALL, fps=24, frames=241, max_seconds=60, max_side=4096)
    assert caught.value.code is ErrorCode.MEDIA_REJECTED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'/>",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b"\x1aE\xdf\xa3" + bytes(100),
        b"\0\0\0\x18ftypisom" + bytes(100),
        b"\0\0\0\x08moov" + b"#EXTM3U\nfile:///etc/passwd\n",
    ],
)
def test_a_playlist_or_what_only_looks_like_a_video_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(content)
    assert FIELD in refusal(tmp_path / "in")


def test_a_movie_that_claims_to_lie_in_another_file_is_read_from_its_own_bytes(tmp_path: Path) -> None:
    # A data reference with flag 1 means "in this file"; with flag 0, a file that it names.
    content = write_video(tmp_path / "whole", container="mov").read_bytes()
    own = b"url \0\0\0\x01"
    assert content.count(own) == 1
    (tmp_path / "in").write_bytes(content.replace(own, b"alis\0\0\0\0"))
    assert close(fitted(tmp_path / "in")[0].getpixel((8, 8)), RED)


def test_a_demuxer_that_seeks_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_video(tmp_path / "in", frames=300)
    monkeypatch.setattr(container, "CALLS", -source.stat().st_size // 1024 + 3)
    assert "damaged" in refusal(source)


def test_timestamps_that_do_not_advance_are_refused(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in", fps=30, frames=60)
    content = bytearray(source.read_bytes())
    # The sample durations (stts: 1 entry, 60 samples, some ticks each) become 0.
    where = content.index(b"stts") + 16
    content[where : where + 4] = bytes(4)
    if b"ctts" in content:
        content[content.index(b"ctts") : content.index(b"ctts") + 4] = b"free"
    source.write_bytes(content)
    with pytest.raises(WorkerError) as caught:
        fit_video(source, tmp_path / "out", FIELD, SMALL, fps=24, frames=49, max_seconds=60, max_side=4096)
    assert caught.value.code is ErrorCode.MEDIA_REJECTED


def test_a_still_becomes_a_control_video_of_one_frame(tmp_path: Path) -> None:
    (tmp_path / "still.png").write_bytes(encoded(quartered(128, 64), "PNG"))
    assert still_video(tmp_path / "still.png", tmp_path / "out.mp4", 24) == []
    (only,) = decoded(tmp_path / "out.mp4")
    assert only.size == (128, 64)
    assert close(only.getpixel((8, 8)), RED)
    assert close(only.getpixel((120, 8)), GREEN)

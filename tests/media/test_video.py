"""What is delivered: playable everywhere, tagged as it is, and silent about how it was made."""

import random
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext
from PIL import Image

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.media import stills
from ltx2_worker.media.video import finish, inspect

SECRET_PROMPT = "a prompt that must not leave"
GREEN, RED = (0, 255, 0), (255, 0, 0)


def as_the_engine(
    path: Path,
    *,
    size: tuple[int, int] = (256, 144),
    frames: int = 48,
    fps: int = 24,
    rate: int | None = 24_000,
    color: tuple[int, int, int] | None = None,
) -> Path:
    """Write an MP4 with the calls that ComfyUI's SaveVideo makes; noise unless `color` is given."""
    noise = random.Random(1)
    with av.open(path, "w", format="mp4", options={"movflags": "use_metadata_tags"}) as output:
        output.metadata["prompt"] = SECRET_PROMPT
        video = output.add_stream("h264", rate=Fraction(fps))
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        sound = output.add_stream("aac", rate=rate, layout="stereo") if rate else None
        for _ in range(frames):
            frame = av.VideoFrame(*size, "rgb24")
            plane = frame.planes[0]
            pixels = (
                bytes(color) * (plane.buffer_size // 3 + 1) if color else noise.randbytes(plane.buffer_size)
            )
            plane.update(pixels[: plane.buffer_size])
            output.mux(video.encode(frame.reformat(format="yuv420p")))
        output.mux(video.encode(None))
        if sound is not None and rate:
            samples = av.AudioFrame("fltp", "stereo", rate * frames // fps)
            for channel in samples.planes:
                channel.update(bytes(channel.buffer_size))
            samples.sample_rate, samples.pts = rate, 0
            output.mux(sound.encode(samples))
            output.mux(sound.encode(None))
    return path


def finished(tmp_path: Path, provenance: dict[str, str] | None = None, **made: object) -> Path:
    source = as_the_engine(tmp_path / "engine.mp4", **made)  # type: ignore[arg-type]
    target = tmp_path / "finished.mp4"
    finish(source, target, provenance or {}, Deadline(60))
    return target


def test_the_index_tells_what_a_file_is(tmp_path: Path) -> None:
    source = as_the_engine(tmp_path / "engine.mp4", size=(320, 192), frames=72)
    facts = inspect(source)
    assert (facts.width, facts.height, facts.fps, facts.frames) == (320, 192, 24, 72)
    assert (facts.duration, facts.audio, facts.audio_duration) == (3.0, True, 3.0)
    assert (facts.codec, facts.pixel_format, facts.bytes) == ("h264", "yuv420p", source.stat().st_size)
    assert not facts.moov_first
    assert not inspect(as_the_engine(tmp_path / "silent.mp4", frames=2, rate=None)).audio


def test_finishing_puts_the_index_first_and_keeps_every_frame_and_the_length(tmp_path: Path) -> None:
    facts = inspect(finished(tmp_path, frames=72))
    assert facts.moov_first
    assert (facts.frames, facts.duration, facts.fps) == (72, 3.0, 24)
    assert abs(facts.duration - facts.audio_duration) <= 1 / 24


def test_finishing_copies_pictures_and_sound_bit_by_bit(tmp_path: Path) -> None:
    target = finished(tmp_path)

    def decoded(path: Path) -> list[bytes]:
        with av.open(path) as container:
            return [bytes(plane) for frame in container.decode() for plane in frame.planes]

    assert decoded(target) == decoded(tmp_path / "engine.mp4")


def test_a_silent_video_is_finished_too(tmp_path: Path) -> None:
    assert not inspect(finished(tmp_path, rate=None)).audio


def test_nothing_of_the_maker_is_left_in_the_file(tmp_path: Path) -> None:
    target = finished(tmp_path)
    content = target.read_bytes()
    # "Lavc" stays: the AAC encoder writes its library's name into the sound itself.
    for left in (SECRET_PROMPT.encode(), b"x264", b"Lavf", b"threads="):
        assert left not in content
    with av.open(target) as container:
        assert set(container.metadata) == {"major_brand", "minor_version", "compatible_brands"}
        assert {key for stream in container.streams for key in stream.metadata} == {
            "language",
            "handler_name",
        }


def test_provenance_can_be_read_back(tmp_path: Path) -> None:
    given = {"model": "ltx-2-19b", "seed": "7", "job_id": "0f3c-ü1"}
    with av.open(finished(tmp_path, given)) as container:
        assert given.items() <= container.metadata.items()
    assert SECRET_PROMPT.encode() not in (tmp_path / "finished.mp4").read_bytes()


@pytest.mark.parametrize("size", [(256, 144), (1280, 720)])
@pytest.mark.parametrize(("color", "bt601"), [(GREEN, (145, 54, 34)), (RED, (81, 90, 240))])
def test_the_color_tags_tell_the_matrix_that_was_used(
    tmp_path: Path, size: tuple[int, int], color: tuple[int, int, int], bt601: tuple[int, int, int]
) -> None:
    target = finished(tmp_path, size=size, color=color, frames=2)
    with av.open(target) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 6)
        assert context.color_range == 1
        planes = next(container.decode(video=0)).planes
        measured = [plane[plane.line_size * 10 + 10] for plane in map(PlaneBytes, planes)]
    assert measured == pytest.approx(bt601, abs=2)
    # `colr` in the container: nclx, then primaries, transfer, matrix as 16 bits each, full range as one.
    assert b"colrnclx" + bytes([0, 1, 0, 1, 0, 6, 0]) in target.read_bytes()


def test_the_color_tags_are_in_the_stream_itself(tmp_path: Path) -> None:
    target = finished(tmp_path, frames=2)
    with av.open(target) as container:
        stream = container.streams.video[0]
        raw = tmp_path / "raw.h264"
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [part for packet in container.demux(stream) for part in to_annex_b.filter(packet)]
        raw.write_bytes(b"".join(map(bytes, packets)))
    with av.open(raw, format="h264") as container:
        frames = list(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 6)
        assert (context.color_range, len(frames)) == (1, 2)


class PlaneBytes:
    """A plane's bytes by index."""

    def __init__(self, plane: "av.video.plane.VideoPlane") -> None:
        self.line_size = plane.line_size
        self._content = bytes(plane)

    def __getitem__(self, index: int) -> int:
        return self._content[index]


@pytest.mark.parametrize("keep", [0, 20, 4_000, -1])
def test_a_file_that_is_cut_is_refused(tmp_path: Path, keep: int) -> None:
    source = as_the_engine(tmp_path / "engine.mp4")
    source.write_bytes(source.read_bytes()[:keep])
    with pytest.raises(WorkerError) as caught:
        inspect(source)
    assert caught.value.code is ErrorCode.GENERATION_FAILED
    assert str(tmp_path) not in caught.value.message


def test_a_finish_that_fails_or_is_cancelled_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"not a video" * 100)
    target = tmp_path / "finished.mp4"
    with pytest.raises(WorkerError, match="complete MP4"):
        finish(tmp_path / "text.mp4", target, {}, Deadline(60))
    assert not target.exists()

    cancelled = Deadline(60)
    cancelled.cancel()
    with pytest.raises(Cancelled):
        finish(as_the_engine(tmp_path / "engine.mp4"), target, {}, cancelled)
    assert not target.exists()


def test_the_poster_shows_the_video_in_its_colors_and_size(tmp_path: Path) -> None:
    video = finished(tmp_path, color=GREEN, frames=9)
    stills.poster(video, tmp_path / "poster.jpg", Deadline(60))
    with Image.open(tmp_path / "poster.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 144))
        assert picture.getpixel((128, 72)) == pytest.approx(GREEN, abs=6)


@pytest.mark.parametrize("key_frame_every", [250, 20])
@pytest.mark.parametrize("frames", [1, 60, 78, 80, 82])
def test_the_poster_is_the_frame_in_the_middle(tmp_path: Path, key_frame_every: int, frames: int) -> None:
    video = tmp_path / "brighter.mp4"
    options = {"g": str(key_frame_every), "bf": "8", "b_strategy": "0", "crf": "10"}
    with av.open(video, "w", format="mp4") as output:
        stream = output.add_stream("h264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = 256, 144, "yuv420p"
        for number in range(frames):
            picture = Image.new("RGB", (256, 144), (5 + 3 * number,) * 3)
            output.mux(stream.encode(av.VideoFrame.from_image(picture)))
        output.mux(stream.encode(None))
    stills.poster(video, tmp_path / "poster.jpg", Deadline(60))
    with Image.open(tmp_path / "poster.jpg") as picture:
        assert picture.convert("L").getpixel((128, 72)) == pytest.approx(5 + 3 * (frames // 2), abs=1)


def test_the_animation_is_small_and_moves(tmp_path: Path) -> None:
    video = finished(tmp_path, frames=96)
    stills.animation(video, tmp_path / "preview.webp", Deadline(60))
    with Image.open(tmp_path / "preview.webp") as picture:
        assert (picture.format, picture.size, picture.n_frames) == ("WEBP", (320, 180), 40)


def test_stills_of_no_video_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"not a video" * 100)
    for make in (stills.poster, stills.animation):
        with pytest.raises(WorkerError, match="cannot be decoded"):
            make(tmp_path / "text.mp4", tmp_path / "still", Deadline(60))

"""The encoder process: its file is final when it is closed, and none is left when something goes wrong."""

import os
import resource
import signal
import time
import uuid
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat
from PIL.WebPImagePlugin import WebPImageFile

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Encoder, EncoderFiles, EncoderLost, EngineOptions
from tests.engine.encode_lab import MOVING, encode, next_line, seen, sending

pytestmark = pytest.mark.engine

#: H.273: BT.709 as matrix, primaries and transfer; limited range as libavutil numbers it.
BT709, LIMITED = 1, 1
#: Pure green in BT.709, limited range (ITU-R BT.709, item 3.4), as Y, Cb, Cr; BT.601 would give 145, 54, 34.
GREEN = (173, 42, 26)


@pytest.fixture
def address() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return tmp_path / "video.mp4"


def test_the_index_comes_first_and_nothing_tells_how_the_file_was_made(
    engine_options: EngineOptions, video: Path
) -> None:
    encode(engine_options, EncoderFiles(video), **MOVING, rate=48_000, sound_seconds=1)
    data = video.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    for word in (b"x264", b"Lavc", b"Lavf", b"crf", str(video.parent).encode()):
        assert word not in data
    with av.open(str(video)) as container:
        assert container.metadata.keys() <= {"major_brand", "minor_version", "compatible_brands"}


def test_colours_are_bt709_and_say_so(engine_options: EngineOptions, video: Path) -> None:
    encode(engine_options, EncoderFiles(video), **MOVING | {"kind": "green"})
    with av.open(str(video)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        assert tags == (BT709, BT709, BT709, LIMITED)
        frame = next(container.decode(video=0))
    assert tuple(bytes(plane)[0] for plane in frame.planes) == pytest.approx(GREEN, abs=1)
    # `colr` in the container, which Apple's players look at: nclx, then the three, then the full-range flag.
    assert b"colrnclx" + bytes([0, 1, 0, 1, 0, 1, 0]) in video.read_bytes()


def test_what_the_operator_wants_said_about_a_video_can_be_read_back(
    engine_options: EngineOptions, video: Path
) -> None:
    given = {"model": "ltx-2-19b", "seed": "7", "job_id": "0f3c-ü1"}
    encode(engine_options, EncoderFiles(video, metadata=given), **MOVING)
    with av.open(str(video)) as container:
        assert given.items() <= container.metadata.items()


@pytest.mark.parametrize("fps", [24, 48])
def test_frames_and_sound_are_as_long_as_was_asked(
    engine_options: EngineOptions, video: Path, fps: int
) -> None:
    asked = MOVING | {"frames": 60, "fps": fps}
    encode(engine_options, EncoderFiles(video), **asked, rate=48_000, sound_seconds=1)  # too short
    samples = -(-60 * 48_000 // Fraction(fps))
    with av.open(str(video)) as container:
        pictures, sound = container.streams.video[0], container.streams.audio[0]
        assert (pictures.frames, pictures.average_rate) == (60, Fraction(fps))
        assert sound.duration is not None and sound.time_base is not None
        assert sound.duration * sound.time_base == Fraction(samples, 48_000)
        assert sum(1 for _ in container.decode(video=0)) == 60


def shown_at(packet: "av.Packet[av.VideoStream]") -> Fraction:
    assert packet.pts is not None
    return packet.pts * packet.time_base


def test_there_is_a_key_frame_every_two_seconds(engine_options: EngineOptions, video: Path) -> None:
    encode(engine_options, EncoderFiles(video), **MOVING | {"frames": 60, "fps": 8})
    with av.open(str(video)) as container:
        keys = [shown_at(packet) for packet in container.demux(video=0) if packet.is_keyframe]
    assert keys[0] == 0
    assert all(
        later - earlier <= 2 for earlier, later in zip(keys, [*keys[1:], Fraction(15, 2)], strict=True)
    )


def test_sound_lies_between_the_frames_it_is_heard_with(engine_options: EngineOptions, video: Path) -> None:
    asked = MOVING | {"frames": 96, "kind": "noise", "width": 64, "height": 64}
    encode(engine_options, EncoderFiles(video), **asked, rate=48_000, sound_seconds=4)
    with av.open(str(video)) as container:
        at: dict[str, list[tuple[int, float]]] = {"audio": [], "video": []}
        for packet in container.demux():
            if packet.dts is not None:
                assert packet.pos is not None
                at[packet.stream.type].append((packet.pos, float(packet.dts * packet.time_base)))
    for position, seconds in at["audio"]:
        before = [when for where, when in at["video"] if where < position]
        assert abs((before[-1] if before else 0) - seconds) < 0.5


def test_poster_and_animation_are_made_of_the_passing_frames(
    engine_options: EngineOptions, tmp_path: Path, video: Path
) -> None:
    poster_file, animation_file = tmp_path / "poster.jpg", tmp_path / "animation.webp"
    files = EncoderFiles(video, poster_file, animation_file)
    encoded, _ = encode(engine_options, files, **MOVING | {"frames": 90})
    assert encoded.poster and encoded.animation
    with Image.open(poster_file) as poster, av.open(str(video)) as container:
        assert (poster.format, poster.size) == ("JPEG", (320, 192))
        middle = next(frame for number, frame in enumerate(container.decode(video=0)) if number == 45)
        difference = ImageChops.difference(poster, middle.to_image())
        assert max(ImageStat.Stat(difference).mean) < 3
    with Image.open(animation_file) as animation:
        assert isinstance(animation, WebPImageFile)
        assert (animation.format, animation.n_frames, animation.width) == ("WEBP", 40, 320)


def test_a_picture_that_cannot_be_written_does_not_cost_the_video(
    engine_options: EngineOptions, tmp_path: Path, video: Path
) -> None:
    files = EncoderFiles(video, poster=tmp_path / "no folder" / "poster.jpg")
    encoded, _ = encode(engine_options, files, **MOVING)
    assert not encoded.poster
    assert encoded.bytes == video.stat().st_size


def test_loudness_and_true_peak_are_measured(engine_options: EngineOptions, video: Path) -> None:
    """A sine of 997 Hz in both channels, peak -20 dBFS, has -20 LUFS (EBU Tech 3341, test case 1)."""
    encoded, _ = encode(
        engine_options, EncoderFiles(video), **MOVING | {"frames": 96}, rate=48_000, sound_seconds=4
    )
    assert encoded.loudness == pytest.approx(-20, abs=0.1)
    assert encoded.true_peak == pytest.approx(-20, abs=0.2)
    assert not encoded.silent


def test_digital_silence_is_noticed(engine_options: EngineOptions, video: Path) -> None:
    encoded, _ = encode(
        engine_options, EncoderFiles(video), **MOVING, rate=24_000, sound_seconds=1, amplitude=0
    )
    assert (encoded.silent, encoded.true_peak) == (True, None)


def test_a_silent_file_has_no_loudness(engine_options: EngineOptions, video: Path) -> None:
    encoded, _ = encode(engine_options, EncoderFiles(video), **MOVING)
    assert (encoded.loudness, encoded.true_peak, encoded.silent) == (None, None, False)


def test_what_waits_for_the_encoder_is_bounded_in_bytes(
    engine_options: EngineOptions, address: str, video: Path
) -> None:
    asked = MOVING | {"buffer_bytes": 4 * 320 * 192 * 3, "say_when_full": True}
    with (
        Encoder(engine_options, address, EncoderFiles(video)) as encoder,
        sending(engine_options, address, **asked, say_at=0, pause=0.5) as sender,
    ):
        assert next_line(sender) == "sent\n"
        os.kill(encoder.pid, signal.SIGSTOP)
        assert next_line(sender) == "4 frames wait\n"
        os.kill(encoder.pid, signal.SIGCONT)
        encoder.wait(Deadline(30), lambda frames: None)


# --- something goes wrong ------------------------------------------------------------------------------


def test_a_sender_that_goes_away_is_forgotten_and_the_next_one_served(
    engine_options: EngineOptions, address: str, video: Path
) -> None:
    with Encoder(engine_options, address, EncoderFiles(video)) as encoder:
        with sending(engine_options, address, **MOVING, send=4) as first:
            seen(first)
        assert not encoder.has_all_frames()
        with sending(engine_options, address, **MOVING) as second:
            seen(second)
        encoder.wait(Deadline(30), lambda frames: None)
    with av.open(str(video)) as container:
        assert container.streams.video[0].frames == 10


def test_a_sender_that_is_gone_before_its_last_words_are_read_has_handed_over(
    engine_options: EngineOptions, address: str, video: Path
) -> None:
    with (
        Encoder(engine_options, address, EncoderFiles(video)) as encoder,
        sending(engine_options, address, **MOVING, say_at=9, pause=1) as sender,
    ):
        assert next_line(sender) == "sent\n"
        wait_until_idle(encoder.pid)  # it has answered for every frame, and nobody reads the answers
        os.kill(encoder.pid, signal.SIGSTOP)
        seen(sender)
        sender.wait(30)
        os.kill(encoder.pid, signal.SIGCONT)
        encoder.wait(Deadline(30), lambda frames: None)
    assert video.exists()


def wait_until_idle(pid: int) -> None:
    """Return once a process sleeps."""
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < until
        time.sleep(0.01)


def test_once_all_frames_are_handed_over_the_sender_may_be_killed(
    engine_options: EngineOptions, address: str, video: Path
) -> None:
    with Encoder(engine_options, address, EncoderFiles(video)) as encoder:
        asked = {"kind": "noise", "width": 640, "height": 384, "frames": 40, "buffer_bytes": 10**8}
        with sending(engine_options, address, **asked) as sender:
            seen(sender)
            sender.kill()
        assert encoder.has_all_frames()
        encoder.wait(Deadline(30), lambda frames: None)
    assert video.exists()


def test_a_killed_encoder_is_noticed_by_its_owner_and_by_the_sender(
    engine_options: EngineOptions, address: str, video: Path
) -> None:
    with (
        Encoder(engine_options, address, EncoderFiles(video)) as encoder,
        sending(engine_options, address, **MOVING, say_at=5, pause=0.5) as sender,
    ):
        assert next_line(sender) == "sent\n"
        os.kill(encoder.pid, signal.SIGKILL)
        with pytest.raises(EncoderLost):
            encoder.wait(Deadline(30), lambda frames: None)
        assert seen(sender) == {"receiver_lost": True}


@pytest.mark.parametrize("end", [Cancelled, WorkerError], ids=["cancel", "deadline"])
def test_a_cancel_or_the_deadline_while_it_encodes_ends_the_process(
    engine_options: EngineOptions, address: str, video: Path, end: type[Exception]
) -> None:
    deadline = Deadline(30 if end is Cancelled else 2)
    with (
        pytest.raises(end),
        Encoder(engine_options, address, EncoderFiles(video)) as encoder,
        sending(engine_options, address, **MOVING, say_at=5, pause=20) as sender,
    ):
        assert next_line(sender) == "sent\n"
        if end is Cancelled:
            deadline.cancel()
        encoder.wait(deadline, lambda frames: None)
    assert not Path(f"/proc/{encoder.pid}").exists()


def test_a_stopped_encoder_is_given_up(
    engine_options: EngineOptions, address: str, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltx2_worker.engine.encoder._SILENCE_SECONDS", 1.0)
    with (
        Encoder(engine_options, address, EncoderFiles(video)) as encoder,
        sending(engine_options, address, **MOVING, say_at=5, pause=20) as sender,
    ):
        assert next_line(sender) == "sent\n"
        os.kill(encoder.pid, signal.SIGSTOP)
        with pytest.raises(EncoderLost):
            encoder.wait(Deadline(30), lambda frames: None)


@pytest.mark.parametrize("missing", [1, 2_000_000], ids=["at the last byte", "between frames"])
def test_a_full_disk_is_one_retryable_sentence_and_leaves_no_file(
    engine_options: EngineOptions, address: str, video: Path, missing: int
) -> None:
    asked = {"kind": "noise", "width": 640, "height": 384, "frames": 12, "crf": 0.0}
    encoded, _ = encode(engine_options, EncoderFiles(video), **asked)
    video.unlink()
    with Encoder(engine_options, address, EncoderFiles(video)) as encoder:
        limit_file_size(encoder.pid, encoded.bytes - missing)
        with sending(engine_options, address, **asked), pytest.raises(WorkerError) as caught:
            encoder.wait(Deadline(30), lambda frames: None)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)
    assert not video.exists()


def limit_file_size(pid: int, size: int) -> None:
    """Let a process write files of at most so many bytes: to it, the disk is full then."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))


# --- a look at the video -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "unusable", "frozen"),
    [
        ("black", "black", True),
        ("grey", "one flat colour", True),
        ("still", None, True),
        ("night", None, False),
        ("fog", None, False),
        ("portrait", None, False),
        ("moving", None, False),
    ],
)
def test_what_is_said_of_a_video(
    engine_options: EngineOptions, video: Path, kind: str, unusable: str | None, frozen: bool
) -> None:
    for width, height in ((448, 256), (1920, 1080)):
        asked = MOVING | {"kind": kind, "width": width, "height": height}
        encoded, said = encode(engine_options, EncoderFiles(video), **asked)
        assert (said["unusable"], said["frozen"]) == (unusable, frozen)
        assert encoded.facts.frozen == frozen

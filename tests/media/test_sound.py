"""A stranger's sound: of every format that is allowed, cut to the video, and refused where it is none."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.media import container
from ltx2_worker.media.sound import fit_sound

FORMATS = {
    "wav": ("wav", "pcm_s16le", 44_100, "stereo"),
    "wav of odd rate": ("wav", "pcm_s16le", 22_050, "mono"),
    "5.1": ("wav", "pcm_s16le", 48_000, "5.1"),
    "flac": ("flac", "flac", 48_000, "stereo"),
    "mp3": ("mp3", "libmp3lame", 44_100, "stereo"),
    "ogg": ("ogg", "libopus", 48_000, "stereo"),
    "m4a": ("mp4", "aac", 48_000, "stereo"),
    "webm": ("webm", "libopus", 48_000, "mono"),
}
CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}


def write(target: Path, kind: str, seconds: float = 3.0) -> "np.ndarray[Any, Any]":
    """Write a tone that rises, and return it."""
    form, codec, rate, layout = FORMATS[kind]
    time = np.arange(round(seconds * rate)) / rate
    tone = (0.4 * np.sin(2 * np.pi * (300 + 100 * time) * time)).astype(np.float32)
    channels = np.stack([tone] * CHANNELS[layout])
    with av.open(str(target), "w", format=form) as into:
        stream: Any = into.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(channels, "fltp", layout)
        frame.sample_rate, frame.pts = rate, 0
        context = stream.codec_context
        packed = av.AudioResampler(context.format.name, layout, rate, context.frame_size or None)
        for part in (*packed.resample(frame), *packed.resample(None)):
            into.mux(stream.encode(part))
        into.mux(stream.encode(None))
    return tone


def read(path: Path) -> "tuple[int, np.ndarray[Any, Any]]":
    with av.open(str(path), "r") as source:
        track = source.streams.audio[0]
        parts = [frame.to_ndarray().reshape(-1, track.channels) for frame in source.decode(track)]
        return track.rate, np.concatenate(parts)


def fit(source: Path, target: Path, *, start: float = 0.5, seconds: float = 2.0, **more: Any) -> list[str]:
    return fit_sound(source, target, "audio_url", start=start, seconds=seconds, max_seconds=600, **more)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_allowed_format_becomes_a_wav_of_the_video_s_length(tmp_path: Path, kind: str) -> None:
    tone = write(tmp_path / "in", kind)
    warnings = fit(tmp_path / "in", tmp_path / "out.wav")
    assert warnings == [
        "From second 0.5 on, audio_url is 2.5 s long, the video 2.0 s: what is beyond is not used."
    ]
    rate, samples = read(tmp_path / "out.wav")
    wanted = FORMATS[kind][2]
    assert rate == (wanted if wanted in {32_000, 44_100, 48_000} else 48_000)
    assert samples.shape == (round(2.2 * rate), 1 if FORMATS[kind][3] == "mono" else 2)
    if FORMATS[kind][1].startswith(("pcm", "flac")) and rate == wanted and kind != "5.1":
        assert np.abs(samples[:1000, 0] - tone[rate // 2 :][:1000]).max() < 1e-4


def test_a_sound_that_ends_before_the_video_is_followed_by_silence(tmp_path: Path) -> None:
    write(tmp_path / "in", "wav", 1.0)
    assert fit(tmp_path / "in", tmp_path / "out.wav", start=0.0) == [
        "audio_url is 1.0 s long, the video 2.0 s: its end is silent."
    ]
    rate, samples = read(tmp_path / "out.wav")
    assert len(samples) == round(2.2 * rate)
    assert not samples[rate:].any()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"ID3" + b"\0" * 500,
        b"\xff\xfb" * 300,
        b"OggS" + b"x" * 400,
        b"fLaC" + b"\xff" * 90,
        b"#EXTM3U\nhttp://example.org/a.mp3\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
    ],
    ids=range(8),
)
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(WorkerError) as refused:
        fit(tmp_path / "in", tmp_path / "out.wav")
    assert (refused.value.code, refused.value.field) == (ErrorCode.MEDIA_REJECTED, "audio_url")


def test_a_sound_that_is_over_when_the_video_begins_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "in", "wav", 1.0)
    with pytest.raises(WorkerError, match=r"1.0 s long: nothing is left of it at audio_start, second 5"):
        fit(tmp_path / "in", tmp_path / "out.wav", start=5.0)


def test_a_sound_that_is_too_long_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "in", "wav", 3.0)
    with pytest.raises(WorkerError, match="longer than 1 s"):
        fit_sound(tmp_path / "in", tmp_path / "out.wav", "audio_url", start=0.0, seconds=1.0, max_seconds=1.0)


def test_a_demuxer_that_seeks_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in", "ogg")
    monkeypatch.setattr(container, "CALLS", -(tmp_path / "in").stat().st_size // 1024 + 3)
    with pytest.raises(WorkerError, match="damaged"):
        fit(tmp_path / "in", tmp_path / "out.wav")

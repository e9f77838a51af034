"""Clips for the film's tests: a number in each frame, a click in each second, speech-like noise, tones."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 48_000
#: Frames carry their number as bright and dark blocks, this many pixels wide.
BLOCK = 8
BITS = 12


def numbered(number: int, width: int, height: int) -> np.ndarray:
    """A grey picture with its number in binary along the top; RGB."""
    picture = np.full((height, width, 3), 90, np.uint8)
    for bit in range(BITS):
        picture[: 2 * BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 235 if number >> bit & 1 else 16
    return picture


def number_of(frame: av.VideoFrame) -> int:
    """The number in a frame."""
    luma = frame.to_ndarray(format="gray")
    row = luma[BLOCK]
    return sum(1 << bit for bit in range(BITS) if row[bit * BLOCK + BLOCK // 2] > 128)


def clicks(seconds: float, level: float = 0.5) -> np.ndarray:
    """A click of 5 ms at the beginning of each second; shape (samples,)."""
    wave = np.zeros(round(seconds * RATE), np.float32)
    for second in range(int(np.ceil(seconds))):
        wave[second * RATE : second * RATE + 240] = level
    return wave


def tone(seconds: float, level: float, hertz: float = 440.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def speech(seconds: float, level: float = 0.2, seed: int = 1) -> np.ndarray:
    """Noise in the band of speech, in syllables, with a pause in every second half of four seconds."""
    count = round(seconds * RATE)
    at = np.arange(count) / RATE
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    band = np.fft.rfftfreq(count, 1 / RATE)
    spectrum[(band < 200) | (band > 4000)] = 0
    wave = np.fft.irfft(spectrum, count)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * at)
    spoken: np.ndarray = wave / np.abs(wave).max() * level * syllables * (at % 4 < 2)
    return spoken.astype(np.float32)


def write(
    path: Path,
    frames: int,
    wave: np.ndarray | None,
    *,
    size: tuple[int, int] = (128, 96),
    fps: int = 24,
    first: int = 0,
    pictures: Sequence[np.ndarray] | None = None,
) -> Path:
    """Write a clip whose frames are numbered from `first`, without visible loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "1"}
        heard = container.add_stream("aac", rate=RATE, layout="stereo") if wave is not None else None
        for number in range(frames):
            picture = pictures[number] if pictures is not None else numbered(first + number, *size)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if heard is not None and wave is not None:
            sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts = RATE, 0
            container.mux(heard.encode(sound))
            container.mux(heard.encode(None))
    return path


def write_wave(path: Path, wave: np.ndarray) -> Path:
    """Write music: a lossless file of one channel pair."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE, layout="stereo")
        sound = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.stack([wave, wave], axis=1).reshape(1, -1)), format="flt", layout="stereo"
        )
        sound.sample_rate, sound.pts = RATE, 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def pictures_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def sound_of(path: Path) -> np.ndarray:
    """The left channel as it is played; shape (samples,)."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        frames = [*container.decode(audio=0), None]
        blocks = [block.to_ndarray()[0] for frame in frames for block in resampler.resample(frame)]
    return np.concatenate(blocks)

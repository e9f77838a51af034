"""The sound of a video in which frames are made anew: the source's, and the new one in its place."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler

from .order import Kept, Order, Sound

#: Over so many seconds the one sound goes over into the other, within what is kept: a hard cut clicks.
_FADE = 0.01


def joined_sound(
    order: Order, kept: Kept, made: "np.ndarray[Any, Any]"
) -> "tuple[Sound, np.ndarray[Any, Any]]":
    """Put a new sound into the place that it has in the source's.

    Arguments:
        order: what is generated.
        kept: what is kept; its sound has the source's rate, which the whole gets.
        made: the sound of what is generated, channels by samples.

    Returns:
        What the file's sound is, and its samples.
    """
    assert order.sound is not None
    source, rate = _read(kept.sound) if kept.sound else (None, order.sound.rate)
    new = _resampled(made, order.sound.rate, rate)
    first, count = _samples(kept.sound_before, order.fps, rate), _samples(kept.sound_new, order.fps, rate)
    skipped = _samples(kept.sound_skipped, order.fps, rate)
    after = _samples(kept.sound_before + kept.sound_replaced, order.fps, rate)
    total = first + count + _samples(kept.sound_after, order.fps, rate)
    whole = np.zeros((2, total), np.float32)
    _put(whole, 0, new, skipped - first)
    if source is not None:
        fade = round(_FADE * rate)
        begin = _ramp(total, first - fade, first)
        end = _ramp(total, first + count, first + count + fade)
        behind = np.zeros_like(whole)
        _put(behind, first + count, source, after - first - count)
        before = np.zeros_like(whole)
        _put(before, 0, source[:, :first], 0)
        if kept.sound_before:
            whole = before * (1 - begin) + whole * begin
        if kept.sound_after:
            whole = whole * (1 - end) + behind * end
    return Sound(rate, 2, total), np.ascontiguousarray(whole, dtype=np.float32)


def _samples(frames: int, fps: Fraction, rate: int) -> int:
    return round(Fraction(frames * rate) / fps)


def _put(into: "np.ndarray[Any, Any]", first: int, sound: "np.ndarray[Any, Any]", shift: int) -> None:
    """Copy a sound into another from `first` on; sample i of it comes from sample i + shift."""
    begin = max(first, -shift)
    end = min(into.shape[1], sound.shape[1] - shift)
    if begin < end:
        into[:, begin:end] = sound[:, begin + shift : end + shift]


def _ramp(total: int, first: int, last: int) -> "np.ndarray[Any, Any]":
    """0 up to a sample, 1 from another one on."""
    return np.clip((np.arange(total, dtype=np.float32) - first) / max(1, last - first), 0.0, 1.0)


def _resampled(sound: "np.ndarray[Any, Any]", rate: int, wanted: int) -> "np.ndarray[Any, Any]":
    """A sound of two channels at another rate."""
    both = np.ascontiguousarray(np.repeat(sound, 2, axis=0)[:2] if len(sound) == 1 else sound, np.float32)
    if rate == wanted:
        return both
    frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = rate, 0
    resampler = AudioResampler("fltp", "stereo", wanted)
    parts = [part.to_ndarray() for part in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts, axis=1)


def _read(path: Path) -> "tuple[np.ndarray[Any, Any], int]":
    """A WAV as two channels by samples, and its rate."""
    with av.open(str(path), format="wav") as container:
        track = container.streams.audio[0]
        parts = [frame.to_ndarray().reshape(-1, track.channels) for frame in container.decode(track)]
        rate = track.rate
    samples = np.concatenate(parts).T if parts else np.zeros((1, 0), np.float32)
    return _resampled(samples.astype(np.float32), rate, rate), rate

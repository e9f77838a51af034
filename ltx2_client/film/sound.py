"""The film's sound, in blocks of bounded size: the clips' own, crossfaded, and music pushed down under it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from av.filter import Graph

from .clips import RATE, Sound, sound
from .edit import Music
from .loudness import ABUFFER, BLOCK, Measured, audio_frame, measure, pulled
from .timeline import Placed, Timeline

#: How the clips' sound pushes the music down: by `duck_db` at the clips' mean loudness, by more where they
#: are louder. Attack and release as for speech over music.
_RATIO = 4.0
_ATTACK_MS, _RELEASE_MS = 30, 400
#: Loudness that music is mixed at where no clip has sound, in LUFS (EBU R 128's target).
_ALONE = -23.0


def of_clips(timeline: Timeline) -> Iterator[Sound]:
    """The clips' sound from the film's first sample to its last; silence where a clip has none.

    Two clips that share frames are crossfaded with equal power over just these.
    """
    readers = [_reader(timeline, clip) for clip in timeline.clips]
    for start in range(0, timeline.samples, BLOCK):
        end = min(start + BLOCK, timeline.samples)
        block = np.zeros((2, end - start), np.float32)
        for number, clip in enumerate(timeline.clips):
            first, last = timeline.samples_at(clip.at), timeline.samples_at(clip.end)
            low, high = max(start, first), min(end, last)
            if low >= high:
                continue
            samples = readers[number].read(high - low)
            block[:, low - start : high - start] += samples * _gain(timeline, number, low, high)
        yield block


def with_music(clips: Iterator[Sound], timeline: Timeline, music: Music, heard: Measured) -> Iterator[Sound]:
    """The clips' sound with music under it.

    Arguments:
        clips: the clips' sound.
        heard: how loud it is: the music's gain and the threshold of the ducking follow it.
    """
    graph = Graph()
    main, key = graph.add("abuffer", ABUFFER), graph.add("abuffer", ABUFFER)
    duck = graph.add("sidechaincompress", _ducking(music, heard))
    shape = graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo")
    sink = graph.add("abuffersink")
    main.link_to(duck, 0, 0)
    key.link_to(duck, 0, 1)
    duck.link_to(shape)
    shape.link_to(sink)
    graph.configure()
    under, waiting, position = _Music(timeline, music, heard), _Queue(), 0
    for block in clips:
        waiting.put(block)
        main.push(audio_frame(under.read(block.shape[1]), position))
        key.push(audio_frame(block, position))
        position += block.shape[1]
        for frame in pulled(sink):
            ducked = frame.to_ndarray()
            yield ducked + waiting.take(ducked.shape[1])
    main.push(None)
    key.push(None)
    for frame in pulled(sink):
        ducked = frame.to_ndarray()
        yield ducked + waiting.take(ducked.shape[1])
    if rest := waiting.samples:
        yield waiting.take(rest)


def _ducking(music: Music, heard: Measured) -> str:
    # Above the threshold the music loses 1 - 1/ratio of each decibel of the clips' sound.
    below = music.duck_db / (1 - 1 / _RATIO)
    threshold = float(np.clip(10 ** ((heard.integrated - below) / 20), 0.001, 1.0))
    ratio = _RATIO if music.duck_db and not heard.is_silent else 1.0
    return f"threshold={threshold:.6f}:ratio={ratio}:attack={_ATTACK_MS}:release={_RELEASE_MS}"


def _gain(timeline: Timeline, number: int, low: int, high: int) -> Sound:
    """A clip's gain over the film's samples from `low` to `high`, shape (samples,)."""
    clip = timeline.clips[number]
    following = timeline.clips[number + 1] if number + 1 < len(timeline.clips) else None
    at = np.arange(low, high, dtype=np.float64)
    gain = np.full(high - low, 10 ** (clip.gain_db / 20))
    if clip.overlap:
        gain *= _rising(at, timeline.samples_at(clip.at), timeline.samples_at(clip.overlap))
    if following and following.overlap:
        gain *= _falling(at, timeline.samples_at(following.at), timeline.samples_at(following.overlap))
    if number == 0 and timeline.fade_in:
        gain *= _rising(at, 0, timeline.samples_at(timeline.fade_in))
    if following is None and timeline.fade_out:
        length = timeline.samples_at(timeline.fade_out)
        gain *= _falling(at, timeline.samples - length, length)
    return gain.astype(np.float32)


def _rising(at: np.ndarray, start: int, length: int) -> np.ndarray:
    """Equal power: the squares of a rising and a falling gain add up to one."""
    return np.sin(np.pi / 2 * np.clip((at - start) / length, 0, 1))


def _falling(at: np.ndarray, start: int, length: int) -> np.ndarray:
    return np.cos(np.pi / 2 * np.clip((at - start) / length, 0, 1))


class _Queue:
    """Samples that wait, in order."""

    def __init__(self) -> None:
        self._blocks: list[Sound] = []
        self.samples = 0

    def put(self, block: Sound) -> None:
        self._blocks.append(block)
        self.samples += block.shape[1]

    def take(self, count: int) -> Sound:
        """The next `count` samples; silence where there are fewer."""
        taken = np.zeros((2, count), np.float32)
        filled = 0
        while filled < count and self._blocks:
            block = self._blocks.pop(0)
            used = min(count - filled, block.shape[1])
            taken[:, filled : filled + used] = block[:, :used]
            if used < block.shape[1]:
                self._blocks.insert(0, block[:, used:])
            filled += used
        self.samples -= filled
        return taken


class _Stream:
    """Reads blocks of the length that is asked for; silence after the end."""

    def __init__(self, blocks: Iterator[Sound]) -> None:
        self._blocks, self._queue = blocks, _Queue()

    def read(self, count: int) -> Sound:
        while self._queue.samples < count:
            block = next(self._blocks, None)
            if block is None:
                break
            self._queue.put(block)
        return self._queue.take(count)


def _reader(timeline: Timeline, clip: Placed) -> _Stream:
    if not clip.source.has_sound:
        return _Stream(iter(()))
    return _Stream(sound(clip.source.path, first=int(clip.first * RATE)))


class _Music:
    """The music from the film's first sample on: looped, faded, as loud as it should be beside the clips."""

    def __init__(self, timeline: Timeline, music: Music, clips: Measured) -> None:
        self._timeline, self._music, self._at = timeline, music, 0
        reference = _ALONE if clips.is_silent else clips.integrated
        own = measure(sound(Path(music.file)))
        self._gain_db = 0.0 if own.is_silent else reference + music.gain_db - own.integrated
        self._stream = _Stream(_looped(Path(music.file)) if music.loop else sound(Path(music.file)))

    def read(self, count: int) -> Sound:
        at = np.arange(self._at, self._at + count, dtype=np.float64)
        gain = np.full(count, 10 ** (self._gain_db / 20))
        if self._music.fade_in:
            gain *= _rising(at, 0, round(self._music.fade_in * RATE))
        if self._music.fade_out:
            length = round(self._music.fade_out * RATE)
            gain *= _falling(at, self._timeline.samples - length, length)
        self._at += count
        return self._stream.read(count) * gain.astype(np.float32)


def _looped(path: Path) -> Iterator[Sound]:
    while True:
        heard = 0
        for block in sound(path):
            heard += block.shape[1]
            yield block
        if not heard:
            return

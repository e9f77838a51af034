"""How loud sound is, and making it as loud as it should be.

Source of the measure: EBU R 128 and ITU-R BS.1770 (integrated loudness in LUFS, true peak in dBTP), by
FFmpeg's ebur128.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.filter import Graph

from .clips import RATE, Sound

#: What ebur128 says of silence: the gate lets nothing through.
SILENCE = -70.0
#: A true peak lies between samples; four times the rate shows it to 0.1 dB (BS.1770, annex 2).
_OVERSAMPLED = 4 * RATE
#: Frames that go through a filter at a time, in samples.
BLOCK = RATE // 10


@dataclass(frozen=True)
class Measured:
    """The loudness of a sound.

    Attributes:
        integrated: LUFS; SILENCE and less where nothing is heard.
        true_peak: dBTP.
    """

    integrated: float
    true_peak: float

    @property
    def is_silent(self) -> bool:
        """Whether nothing is loud enough to be measured."""
        return self.integrated <= SILENCE


def measure(blocks: Iterable[Sound]) -> Measured:
    """Measure a whole sound, in bounded memory."""
    values: dict[str, float] = {}
    for frame in _through(blocks, [("ebur128", "metadata=1:peak=true")]):
        # A frame that ends no tenth of a second says nothing.
        values |= {key: float(text) for key, text in frame.metadata.items() if key.startswith("lavfi.r128.")}
    peaks = [value for key, value in values.items() if "true_peaks_ch" in key]
    # FFmpeg gives the peak as an amplitude.
    peak = 20 * float(np.log10(max(peaks))) if peaks and max(peaks) > 0 else SILENCE
    return Measured(values.get("lavfi.r128.I", SILENCE), peak)


def limited(blocks: Iterable[Sound], gain_db: float, true_peak: float) -> Iterator[Sound]:
    """The sound with a gain, its true peak held below a limit; as many samples as came in.

    Arguments:
        gain_db: applied first.
        true_peak: in dBTP.
    """
    gain = np.float32(10 ** (gain_db / 20))
    limit = 10 ** (true_peak / 20)
    filters = [
        ("aresample", str(_OVERSAMPLED)),
        ("alimiter", f"limit={limit:.6f}:attack=5:release=100:level=0:latency=1"),
        ("aresample", str(RATE)),
    ]
    counted = _Counted(blocks)
    given = 0
    for frame in _through((block * gain for block in counted), filters):
        samples = frame.to_ndarray()
        # The two resamplers may end with a sample more than they were given.
        room = counted.samples - given if counted.ended else samples.shape[1]
        given += min(room, samples.shape[1])
        yield samples[:, :room]
    if given < counted.samples:
        yield np.zeros((2, counted.samples - given), np.float32)


class _Counted:
    """Counts the samples that pass."""

    def __init__(self, blocks: Iterable[Sound]) -> None:
        self._blocks, self.samples, self.ended = blocks, 0, False

    def __iter__(self) -> Iterator[Sound]:
        for block in self._blocks:
            self.samples += block.shape[1]
            yield block
        self.ended = True


def _through(blocks: Iterable[Sound], filters: list[tuple[str, str]]) -> Iterator[Any]:
    """The frames that a chain of filters makes of a sound."""
    graph = Graph()
    chain = [graph.add("abuffer", ABUFFER), *(graph.add(name, text) for name, text in filters)]
    chain += [graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo"), graph.add("abuffersink")]
    graph.link_nodes(*chain)
    graph.configure()
    position = 0
    for block in blocks:
        chain[0].push(audio_frame(block, position))
        position += block.shape[1]
        yield from pulled(chain[-1])
    chain[0].push(None)
    yield from pulled(chain[-1])


#: A source of stereo float samples at RATE.
ABUFFER = f"time_base=1/{RATE}:sample_rate={RATE}:sample_fmt=fltp:channel_layout=stereo"


def audio_frame(samples: Sound, position: int) -> av.AudioFrame:
    """Samples as a frame; `position` is its first sample's in the whole sound."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = RATE, position
    return frame


def pulled(sink: av.filter.context.FilterContext) -> Iterator[Any]:
    """Every frame that a sink has by now."""
    while True:
        try:
            yield sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return

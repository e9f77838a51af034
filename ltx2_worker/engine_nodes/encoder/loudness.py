"""How loud a sound track is, by EBU R 128 (ITU-R BS.1770-4), as libavfilter measures it."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.filter import Graph

#: The filter's gate: nothing quieter counts, and a track without anything louder is said to have this.
_GATE_LUFS = -70.0


@dataclass(frozen=True)
class Loudness:
    """What was measured.

    Arguments:
        integrated: loudness over the whole track, in LUFS; -70 where all is below the gate.
        true_peak: the highest point between the samples too, in dBTP; None for digital silence.
    """

    integrated: float
    true_peak: float | None

    @property
    def silent(self) -> bool:
        """Whether nothing can be heard: all of it below the gate, no click above -60 dBTP."""
        return self.integrated <= _GATE_LUFS and (self.true_peak is None or self.true_peak < -60)


def measure(sound: "np.ndarray[Any, Any]", rate: int) -> Loudness:
    """Measure a track.

    Arguments:
        sound: 32-bit floats, channels (1 or 2) by samples.
        rate: samples per second.
    """
    layout = "mono" if len(sound) == 1 else "stereo"
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate, format="fltp", layout=layout, time_base=Fraction(1, rate))
    meter = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    graph.push(frame)
    graph.push(None)
    integrated, peak = _GATE_LUFS, 0.0
    while True:
        try:
            metadata = graph.pull().metadata
        except (av.BlockingIOError, av.EOFError):
            break
        integrated = float(metadata.get("lavfi.r128.I", integrated))
        peak = max(peak, float(metadata.get("lavfi.r128.true_peak", peak)))
    return Loudness(
        max(_GATE_LUFS, round(integrated, 1)), round(20 * math.log10(peak), 1) if peak > 0 else None
    )

"""Where everything lies: clips on the film's frames, transitions between them, samples under both.

All arithmetic is in whole frames and samples, so that nothing drifts over a long film.
"""

from dataclasses import dataclass
from fractions import Fraction

from ltx2_api.errors import Fault

from ..errors import BadFilm
from .clips import RATE, ClipFile
from .edit import Clip, Film

#: How far a time may be from a frame's and still mean that frame, in frames: times are written in decimals.
_NEAR = Fraction(1, 50)


@dataclass(frozen=True)
class Placed:
    """A clip in the film.

    Attributes:
        source: the file.
        first: where in the clip it begins, in seconds.
        at: the film's frame on which it begins.
        frames: how many of the film's frames it lasts, transitions included.
        overlap: frames that it shares with the clip before it.
        kind: of the transition from the clip before it.
        gain_db: of its sound.
    """

    source: ClipFile
    first: Fraction
    at: int
    frames: int
    overlap: int
    kind: str
    gain_db: float

    @property
    def end(self) -> int:
        """The film's frame after its last one."""
        return self.at + self.frames


@dataclass(frozen=True)
class Timeline:
    """The film in frames.

    Attributes:
        frames: of the whole film.
        fade_in, fade_out: frames from and to black.
    """

    clips: tuple[Placed, ...]
    width: int
    height: int
    fps: int
    frames: int
    fade_in: int
    fade_out: int

    @property
    def samples(self) -> int:
        """Samples of the whole film; 2000 a frame at 24 fps."""
        return self.samples_at(self.frames)

    def samples_at(self, frame: int) -> int:
        """The sample on which a frame begins; each rate of `Film.fps` divides RATE."""
        return frame * (RATE // self.fps)


def place(film: Film, sources: list[ClipFile]) -> Timeline:
    """Lay the clips out, one after the other.

    Arguments:
        sources: of each clip, in order.

    Raises:
        BadFilm: a time that is not a frame's, a clip that is too short; each fault names its field.
    """
    fps = film.fps or _rate(sources[0])
    ruler = _Ruler(fps)
    placed: list[Placed] = []
    at = 0
    for number, (clip, source) in enumerate(zip(film.clips, sources, strict=True)):
        made = _placed(clip, source, at, f"clips.{number}", ruler)
        placed.append(made)
        at = made.end
    for number, (clip_placed, following) in enumerate(zip(placed, [*placed[1:], None], strict=True)):
        if clip_placed.overlap + (following.overlap if following else 0) > clip_placed.frames:
            ruler.fault(
                f"clips.{number}", f"has {clip_placed.frames} frames, fewer than its transitions take."
            )
    fade_in, fade_out = ruler.frames(film.fade_in, "fade_in"), ruler.frames(film.fade_out, "fade_out")
    if fade_in + fade_out > at:
        ruler.fault("fade_out", "the fades are longer than the film.")
    ruler.check()
    width, height = film.width or sources[0].width, film.height or sources[0].height
    return Timeline(tuple(placed), width, height, fps, at, fade_in, fade_out)


def _rate(source: ClipFile) -> int:
    if source.fps.denominator != 1 or RATE % source.fps.numerator:
        raise BadFilm(f"clips.0: has {float(source.fps):g} frames a second; say the film's fps.")
    return source.fps.numerator


def _placed(clip: Clip, source: ClipFile, end: int, field: str, ruler: "_Ruler") -> Placed:
    """Place a clip behind what ends at the film's frame `end`."""
    first = ruler.seconds(clip.start, f"{field}.in")
    last = source.seconds if clip.end is None else ruler.seconds(clip.end, f"{field}.out")
    if last > source.seconds:
        ruler.fault(f"{field}.out", f"the clip is {float(source.seconds):g} s long.")
    count = int((min(last, source.seconds) - first) * ruler.fps)
    if count < 1:
        ruler.fault(field, "nothing of the clip is left between in and out.")
    kind = clip.transition.kind if clip.transition else "cut"
    overlap = 0
    if clip.transition is not None and kind != "cut":
        overlap = ruler.frames(clip.transition.seconds, f"{field}.transition.seconds")
    return Placed(source, first, end - overlap, max(1, count), overlap, kind, clip.gain_db)


class _Ruler:
    """Times on the film's frames; a time between two frames is a fault that names the nearest."""

    def __init__(self, fps: int) -> None:
        self.fps = fps
        self._faults: list[Fault] = []

    def seconds(self, value: float, field: str) -> Fraction:
        """A time, in whole frames."""
        exact = Fraction(value) * self.fps
        nearest = round(exact)
        if abs(exact - nearest) > _NEAR:
            self.fault(
                field,
                f"{value:g} s is no frame's at {self.fps} fps; {nearest / self.fps:.4g} s is the nearest.",
            )
        return Fraction(nearest, self.fps)

    def frames(self, value: float, field: str) -> int:
        """A time as a number of frames."""
        return int(self.seconds(value, field) * self.fps)

    def fault(self, field: str, message: str) -> None:
        """Remember a fault."""
        self._faults.append(Fault(field, message))

    def check(self) -> None:
        """Raise BadFilm if there was a fault."""
        if self._faults:
            raise BadFilm(" ".join(f"{fault.field}: {fault.message}" for fault in self._faults), self._faults)

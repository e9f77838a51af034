"""A stranger's video in which frames are made anew: what is kept, and what the model is shown of it.

Runs in a child process (isolate.py). What is kept is copied packet by packet where that is exact (copied.py),
and else encoded here, once, as the new frames will be: the two are put together packet by packet
(engine_nodes/encoder/mp4.py), and nothing is left to do at the end.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from av.filter import Graph
from av.video.frame import VideoFrame

from ..splice import Splice
from .clip import Clip, open_clip
from .control import BT709, LIMITED, Fitter, nearest
from .copied import copy, digest, key_frames, shows
from .edges import EDGE_FRAMES, Edge
from .fit import Frame
from .pieces import Pieces, Run, runs
from .segment import LOSSLESS, Segment, delivered
from .sound import fit_sound

#: Of a source at another rate the caller is told.
_NOTABLE_RATE = 0.1


def fit_spliced(
    source: Path,
    pieces: Pieces,
    field: str,
    frame: Frame,
    cut: Callable[[int], Splice],
    *,
    fps: int,
    crf: float,
    with_sound: bool,
    max_seconds: float,
    max_side: int,
) -> list[str]:
    """Write the pieces of a video.

    Arguments:
        source: the file as it came.
        pieces: what to write.
        field: the input field it came in, for messages.
        frame: the canvas and the delivered crop, in pixels.
        cut: says for a number of frames what is made of them; may raise `WorkerError`.
        fps: of the job.
        crf: H.264 quality of what is encoded.
        with_sound: whether the sound is wanted.
        max_seconds, max_side: larger videos are refused.

    Returns:
        Warnings for the caller.

    Raises:
        WorkerError: MEDIA_REJECTED if it is not an allowed, whole video; what `cut` raises.
    """
    opened = partial(open_clip, source, field, max_seconds, max_side)
    with opened() as clip:
        shown = sum(1 for _ in clip.frames())
        frames, rate = max(1, round(clip.end * fps)), shown / clip.end if clip.end else float(fps)
    work = _Work(opened, pieces, field, frame, cut(frames), frames, fps, crf)
    with opened() as clip:
        keys = key_frames(clip, work.size, frames, fps=fps, crf=crf) if shown == frames else ()
    written = _write(work, keys)
    if keys and not _copied(work, written):
        written = _write(work, ())
    warnings = written.warnings
    if abs(rate - fps) > _NOTABLE_RATE:
        warnings.append(f"{field} has {rate:.4g} frames per second: it was made {fps}, as the video has.")
    copied = sum(run.frames for run in written.runs if run.copied)
    pieces.facts.write_text(json.dumps({"frames": frames, "copied": copied}), encoding="utf-8")
    if with_sound:
        seconds = frames / fps
        fit_sound(
            source, pieces.sound, field, start=0.0, seconds=seconds, max_seconds=max_seconds, of_video=True
        )
    return warnings


@dataclass(frozen=True)
class _Work:
    """What is made of a source: arguments as `fit_spliced`."""

    opened: Callable[[], AbstractContextManager[Clip]]
    pieces: Pieces
    field: str
    frame: Frame
    splice: Splice
    frames: int
    fps: int
    crf: float

    @property
    def size(self) -> tuple[int, int]:
        """Of what is delivered: width and height, in pixels."""
        return self.frame.width, self.frame.height


@dataclass
class _Written:
    """What is there of a source, but for the copies.

    Attributes:
        runs: of the frames that stay.
        digests: of the frames of runs that are to be copied, by their number.
        warnings: for the caller.
    """

    runs: list[Run]
    digests: dict[int, bytes]
    warnings: list[str]


def _write(work: _Work, keys: Sequence[int]) -> _Written:
    """Write what the model sees, what is encoded, and the edges; `keys` as `pieces.runs` takes them."""
    with work.opened() as clip, ExitStack() as stack:
        writer: _Writer | None = None
        for number, picture in _numbered(clip, work.fps, work.frames):
            if writer is None:
                writer = stack.enter_context(_Writer(work, keys, picture, clip))
            writer.write(number, picture)
    if writer is None:
        raise AssertionError("a clip without frames is refused where it is read")
    return writer.written


def _copied(work: _Work, written: _Written) -> bool:
    """Copy what is to be copied; whether each copy is exact. No copy is left if one is not."""
    copies = [run for run in written.runs if run.copied]
    for run in copies:
        with work.opened() as clip:
            copy(clip, run, work.size, fps=work.fps, crf=work.crf)
        digests = [written.digests[number] for number in range(run.first, run.last)]
        if not shows(run.path, digests, fps=work.fps):
            for other in copies:
                other.path.unlink(missing_ok=True)
            return False
    return True


def _numbered(clip: Clip, fps: int, frames: int) -> Iterator[tuple[int, VideoFrame]]:
    """The frames of a clip at a rate, counted."""
    number = 0
    for picture, times in nearest(clip.frames(), fps, frames):
        for _ in range(times):
            yield number, picture
            number += 1


class _Writer(ExitStack):
    """Writes each frame where it belongs; a context manager.

    Arguments:
        work: what is made.
        keys: as `pieces.runs` takes them.
        first: the first frame.
        clip: whose it is.
    """

    def __init__(self, work: _Work, keys: Sequence[int], first: VideoFrame, clip: Clip) -> None:
        super().__init__()
        pieces, splice, frame = work.pieces, work.splice, work.frame
        self._work = work
        self._fitter = Fitter(first, clip, frame, work.field)
        # Frames that have the delivered form stay as they came.
        self._exact = _is_delivered(first, clip, frame)
        found = runs(pieces, splice, work.frames, keys if self._exact else ())
        self.written = _Written(found, {}, list(self._fitter.warnings))
        canvas = (frame.canvas_width, frame.canvas_height)
        self._shown = self.enter_context(Segment(pieces.shown, canvas, work.fps, LOSSLESS))
        options = delivered(work.crf)
        self._segments = {
            run: self.enter_context(Segment(run.path, work.size, work.fps, options))
            for run in found
            if not run.copied
        }
        self._edges: list[Edge] = []
        if not splice.keeps_picture:
            before, after = splice.before, splice.before + splice.replaced
            self._edges += [
                Edge(pieces.edge_before, before - EDGE_FRAMES, before),
                Edge(pieces.edge_after, after, after + EDGE_FRAMES),
            ]
        self._crop: Graph | None = None

    def write(self, number: int, picture: VideoFrame) -> None:
        """Write frame `number`, as often as it is wanted."""
        times = self._times_shown(number)
        run = next((run for run in self.written.runs if run.first <= number < run.last), None)
        fitted = self._fitter.fit(picture) if times or (run and not self._exact) else None
        for _ in range(times):
            assert fitted is not None
            self._shown.write(fitted)
        if run is None:
            return
        kept = picture if self._exact or fitted is None else self._cropped(fitted)
        for edge in self._edges:
            if edge.has(number):
                edge.add(kept)
        if run.copied:
            self.written.digests[number] = digest(kept)
        else:
            self._segments[run].write(kept)

    def _times_shown(self, number: int) -> int:
        """How often the model sees a frame: the first and the last one stand for what is beyond them."""
        splice, frames = self._work.splice, self._work.frames
        first, last = splice.shown_from, splice.shown_from + splice.shown
        times = int(first <= number < last)
        if number == 0:
            times += min(0, last) - min(0, first)
        if number == frames - 1:
            times += max(frames, last) - max(frames, first)
        return times

    def _cropped(self, fitted: VideoFrame) -> VideoFrame:
        """The delivered part of a frame on the canvas."""
        frame = self._work.frame
        x, y = (frame.canvas_width - frame.width) // 2, (frame.canvas_height - frame.height) // 2
        if self._crop is None:
            graph = Graph()
            buffer = graph.add_buffer(
                width=fitted.width, height=fitted.height, format=fitted.format, time_base=Fraction(1, 24)
            )
            crop = graph.add("crop", f"{frame.width}:{frame.height}:{x}:{y}:exact=1")
            graph.link_nodes(buffer, crop, graph.add("buffersink")).configure()
            self._crop = graph
        self._crop.push(fitted)
        return self._crop.vpull()


def _is_delivered(first: VideoFrame, clip: Clip, frame: Frame) -> bool:
    """Whether a video has the delivered form: its size, its pixels, BT.709 in the limited range, upright."""
    return (
        (first.width, first.height) == (frame.width, frame.height)
        and first.format.name == "yuv420p"
        and clip.pixel_aspect == 1
        and first.rotation % 360 == 0
        and int(first.colorspace) == BT709
        and int(first.color_range) in {0, LIMITED}
    )

"""A stranger's video in which frames are made anew: what is kept, and what the model is shown of it.

Runs in a child process (isolate.py). What is kept is encoded here, once, as the new frames will be: the two
are put together packet by packet (engine_nodes/encoder/mp4.py), and nothing is left to do at the end.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame

from ..splice import Splice
from .clip import THREADS, Clip, open_clip
from .control import BT709, LIMITED, Fitter, nearest
from .fit import Frame
from .sound import fit_sound

#: As the encoder of new frames has it (engine_nodes/encoder/mp4.py), which refuses other parameter sets.
_KEY_FRAME_SECONDS = 2
#: Of a source at another rate the caller is told.
_NOTABLE_RATE = 0.1


@dataclass(frozen=True)
class Pieces:
    """Where the pieces of a source go.

    Attributes:
        before, after: what is kept, at the delivered size; not written where nothing is.
        shown: what the model sees, at the canvas's size, without loss.
        sound: the source's sound; not written where it has none.
        facts: how many frames the source has, as JSON.
    """

    before: Path
    after: Path
    shown: Path
    sound: Path
    facts: Path


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
        crf: H.264 quality of what is kept.
        with_sound: whether the sound is wanted.
        max_seconds, max_side: larger videos are refused.

    Returns:
        Warnings for the caller.

    Raises:
        WorkerError: MEDIA_REJECTED if it is not an allowed, whole video; what `cut` raises.
    """
    with open_clip(source, field, max_seconds, max_side) as clip:
        shown = sum(1 for _ in clip.frames())
        frames, rate = max(1, round(clip.end * fps)), shown / clip.end if clip.end else float(fps)
    splice = cut(frames)
    warnings = []
    with open_clip(source, field, max_seconds, max_side) as clip, ExitStack() as stack:
        writer: _Writer | None = None
        for number, picture in _numbered(clip, fps, frames):
            if writer is None:
                fitter = Fitter(picture, clip, frame, field)
                warnings += fitter.warnings
                # Frames that have the delivered form stay as they came.
                exact = _is_delivered(picture, clip, frame)
                writer = stack.enter_context(
                    _Writer(fitter, pieces, frame, splice, fps=fps, crf=crf, exact=exact)
                )
            writer.write(number, picture, frames)
    if abs(rate - fps) > _NOTABLE_RATE:
        warnings.append(f"{field} has {rate:.4g} frames per second: it was made {fps}, as the video has.")
    pieces.facts.write_text(json.dumps({"frames": frames}), encoding="utf-8")
    if with_sound:
        seconds = frames / fps
        fit_sound(
            source, pieces.sound, field, start=0.0, seconds=seconds, max_seconds=max_seconds, of_video=True
        )
    return warnings


def _numbered(clip: Clip, fps: int, frames: int) -> Iterator[tuple[int, VideoFrame]]:
    """The frames of a clip at a rate, counted."""
    number = 0
    for picture, times in nearest(clip.frames(), fps, frames):
        for _ in range(times):
            yield number, picture
            number += 1


class _Writer:
    """Writes each frame where it belongs."""

    def __init__(
        self,
        fitter: Fitter,
        pieces: Pieces,
        frame: Frame,
        splice: Splice,
        *,
        fps: int,
        crf: float,
        exact: bool,
    ) -> None:
        self._fitter = fitter
        self._splice = splice
        self._kept_after = splice.before + splice.replaced
        self._crop: Graph | None = None
        self._frame = frame
        self._exact = exact
        delivered, canvas = (frame.width, frame.height), (frame.canvas_width, frame.canvas_height)
        kept = {"crf": str(crf)}
        self._before = (
            _Segment(pieces.before, delivered, fps, kept) if splice.before or splice.keeps_picture else None
        )
        self._after = (
            _Segment(pieces.after, delivered, fps, kept)
            if splice.after and not splice.keeps_picture
            else None
        )
        self._shown = _Segment(pieces.shown, canvas, fps, {"qp": "0", "preset": "ultrafast"})

    def __enter__(self) -> "_Writer":
        return self

    def write(self, number: int, picture: VideoFrame, frames: int) -> None:
        """Write frame `number` of `frames`, as often as it is wanted."""
        fitted = self._fitter.fit(picture)
        for _ in range(self._times_shown(number, frames)):
            self._shown.write(fitted)
        is_before = number < self._splice.before or self._splice.keeps_picture
        segment = self._before if is_before else self._after if number >= self._kept_after else None
        if segment is not None:
            segment.write(picture if self._exact else self._cropped(fitted))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for segment in (self._before, self._after, self._shown):
            if segment is not None:
                segment.close(complete=error is None)

    def _times_shown(self, number: int, frames: int) -> int:
        """How often the model sees a frame: the first and the last one stand for what is beyond them."""
        first, last = self._splice.shown_from, self._splice.shown_from + self._splice.shown
        times = int(first <= number < last)
        if number == 0:
            times += min(0, last) - min(0, first)
        if number == frames - 1:
            times += max(frames, last) - max(frames, first)
        return times

    def _cropped(self, fitted: VideoFrame) -> VideoFrame:
        """The delivered part of a frame on the canvas."""
        frame = self._frame
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


class _Segment:
    """A piece of H.264 in an MP4, being written."""

    def __init__(self, target: Path, size: tuple[int, int], fps: int, options: dict[str, str]) -> None:
        self._container = av.open(str(target), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=fps, options=options)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.gop_size = fps * _KEY_FRAME_SECONDS
        context.thread_count = THREADS
        context.color_range = LIMITED
        context.colorspace = context.color_primaries = context.color_trc = BT709
        self._time_base = Fraction(1, fps)
        self._written = 0

    def write(self, picture: VideoFrame) -> None:
        """Add a frame."""
        picture.pts, picture.time_base = self._written, self._time_base
        picture.pict_type = PictureType.NONE  # the encoder's choice, not that of the file it came from
        self._container.mux(self._stream.encode(picture))
        self._written += 1

    def close(self, *, complete: bool) -> None:
        """Finish the file, or leave it as it is."""
        with self._container:
            if complete:
                self._container.mux(self._stream.encode(None))


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

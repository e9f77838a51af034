"""The control MP4: a stranger's video, or the start image, at the canvas's size and the job's frame rate.

H.264, nearly lossless, for the engine alone. Runs in a child process (isolate.py).
"""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from ltx2_api.errors import ErrorCode, WorkerError

from .clip import THREADS, Clip, open_clip
from .container import reject
from .fit import Frame, Placement, place, warnings

#: Below what an edge detector or a depth model could notice.
CRF = 12
#: A control video this much longer or shorter than the job is not worth a warning, in seconds.
NOTABLE_DIFFERENCE = 0.25
#: ITU-T H.273: 1 is BT.709 for matrix, primaries and transfer; 1 is also the limited range.
BT709 = LIMITED = 1

#: FFmpeg's filters that turn a picture upright, by the rotation (degrees, counterclockwise) it asks for.
_UPRIGHT: dict[int, tuple[tuple[str, str], ...]] = {
    0: (),
    90: (("transpose", "cclock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "clock"),),
}

T = TypeVar("T")


def fit_video(
    source: Path,
    target: Path,
    field: str,
    frame: Frame,
    *,
    fps: int,
    frames: int,
    max_seconds: float,
    max_side: int,
    whole: bool = False,
) -> list[str]:
    """Write the video in `source` to `target`, fitted to the canvas, with exactly `frames` frames at `fps`.

    Each frame of the job shows the video's nearest in time; the surplus is cut, the last frame fills up.

    Arguments:
        source: the file as it came.
        target: the MP4 to write, exactly `frame.canvas_width` x `frame.canvas_height`.
        field: the input field it came in, for messages.
        frame: the canvas and the delivered crop, in pixels.
        fps, frames: of the job.
        max_seconds, max_side: larger videos are refused.
        whole: a video that is shorter than the job is refused, too.

    Returns:
        Warnings for the caller.

    Raises:
        WorkerError: MEDIA_REJECTED if it is not an allowed, whole video.
    """
    with open_clip(source, field, max_seconds, max_side) as clip, _Encoder(target, frame, fps) as encoder:
        fitter: Fitter | None = None
        for picture, times in nearest(clip.frames(), fps, frames):
            fitter = fitter or Fitter(picture, clip, frame, field)
            encoder.write(fitter.fit(picture), times)
    if fitter is None:
        raise AssertionError("a clip without frames is refused where it is read")
    if whole and clip.finished and clip.end < frames / fps - NOTABLE_DIFFERENCE:
        reject(field, f"is {clip.end:.1f} s long: it must be as long as the video, {frames / fps:.1f} s")
    return fitter.warnings + _length_warnings(field, clip, frames / fps)


def still_video(image: Path, target: Path, fps: int) -> list[str]:
    """Write an already fitted image to `target` as a video of one frame; no warnings."""
    with av.open(str(image), format="png_pipe") as container:
        still = next(container.decode(video=0))
    frame = Frame(still.width, still.height, still.width, still.height)
    with _Encoder(target, frame, fps) as encoder:
        encoder.write(still.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED), 1)
    return []


def nearest(shown: Iterable[tuple[float, T]], fps: int, frames: int) -> Iterator[tuple[T, int]]:
    """Resample by nearest timestamp: which pictures to show, and for how many frames each.

    Arguments:
        shown: seconds, growing from 0, and the picture; read no further than needed.
        fps, frames: what comes out; the counts add up to `frames`, unless nothing is shown.
    """
    current: tuple[float, T] | None = None
    done = 0
    for seconds, picture in shown:
        if current is not None:
            # Frame k is due at k / fps; it belongs to the current picture until halfway to the next one.
            due = min(frames, max(done, math.ceil((current[0] + seconds) / 2 * fps - 1e-6)))
            if due > done:
                yield current[1], due - done
            done = due
            if done == frames:
                return
        current = seconds, picture
    if current is not None:
        yield current[1], frames - done


def _length_warnings(field: str, clip: Clip, wanted: float) -> list[str]:
    length = clip.end if clip.finished else max(clip.end, clip.declared or 0)
    if length < wanted - NOTABLE_DIFFERENCE:
        return [f"{field} is {length:.1f} s long, the video {wanted:.1f} s: its last frame is held."]
    if length > wanted + NOTABLE_DIFFERENCE:
        return [f"{field} is {length:.1f} s long, the video {wanted:.1f} s: what is beyond is not used."]
    return []


class Fitter:
    """Lays the frames of one clip on the canvas; they are all of the first one's size."""

    def __init__(self, first: VideoFrame, clip: Clip, frame: Frame, field: str) -> None:
        turn = first.rotation % 360
        if turn not in _UPRIGHT:
            raise WorkerError(
                ErrorCode.MEDIA_REJECTED,
                f"{field} is rotated by {turn} degrees, not by a quarter.",
                field=field,
            )
        width, height = first.width * float(clip.pixel_aspect), float(first.height)
        aspect_x, aspect_y = float(clip.pixel_aspect), 1.0
        if turn % 180:
            width, height, aspect_x, aspect_y = height, width, aspect_y, aspect_x
        placement = place(width, height, frame)
        self.warnings = warnings(field, round(width), round(height), placement, frame)
        left, top, right, bottom = placement.box
        box = (left / aspect_x, top / aspect_y, right / aspect_x, bottom / aspect_y)
        self._graph = _filters(first, _UPRIGHT[turn], box, placement, frame)

    def fit(self, picture: VideoFrame) -> VideoFrame:
        """The canvas with `picture` on it, as yuv420p."""
        self._graph.push(picture)
        return self._graph.vpull()


def _filters(
    first: VideoFrame,
    upright: tuple[tuple[str, str], ...],
    box: tuple[float, float, float, float],
    placement: Placement,
    frame: Frame,
) -> Graph:
    """Turn upright, crop, scale, and mirror the edges into the canvas's margin.

    In RGB from the scaling on: the halved chroma of yuv420p allows no margin of odd width.
    """
    left, top, right, bottom = box
    crop = f"{max(1, round(right - left))}:{max(1, round(bottom - top))}:{int(left)}:{int(top)}:exact=1"
    x, y = placement.left, placement.top
    graph = Graph()
    graph.threads = THREADS
    steps = [
        graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=first.time_base
        ),
        *(graph.add(name, arguments) for name, arguments in upright),
        graph.add("crop", crop),
        graph.add("scale", f"{placement.width}:{placement.height}:flags=lanczos"),
        graph.add("format", "gbrp"),
        graph.add("pad", f"{frame.canvas_width}:{frame.canvas_height}:{x}:{y}"),
        graph.add("fillborders", f"left={x}:right={x}:top={y}:bottom={y}:mode=mirror"),
        graph.add("scale", "out_color_matrix=bt709:out_range=tv"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    return graph


class _Encoder:
    """An MP4 being written; H.264, BT.709, constant frame rate."""

    def __init__(self, target: Path, frame: Frame, fps: int) -> None:
        self._container = av.open(str(target), "w", format="mp4")
        self._stream = self._container.add_stream(
            "libx264", rate=fps, options={"crf": str(CRF), "preset": "veryfast"}
        )
        self._stream.width, self._stream.height = frame.canvas_width, frame.canvas_height
        self._stream.pix_fmt = "yuv420p"
        self._stream.thread_type, self._stream.thread_count = "FRAME", THREADS
        self._stream.color_range = LIMITED
        self._stream.colorspace = self._stream.color_primaries = self._stream.color_trc = BT709
        self._frame_time = Fraction(1, fps)
        self._written = 0

    def __enter__(self) -> "_Encoder":
        return self

    def write(self, picture: VideoFrame, times: int) -> None:
        """Show `picture` for `times` frames."""
        picture.time_base = self._frame_time
        for _ in range(times):
            picture.pts = self._written
            self._container.mux(self._stream.encode(picture))
            self._written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._container:
            if error is None:
                self._container.mux(self._stream.encode(None))

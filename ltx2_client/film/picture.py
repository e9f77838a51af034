"""The film's frames, one after the other: clips pass through, and meet in transitions."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
from av.filter import Graph

from . import clips
from .timeline import Placed, Timeline

#: FFmpeg's xfade by our names; the fades through a colour are two fades, one to it and one from it.
_XFADE = {
    "crossfade": "fade",
    "dissolve": "dissolve",
    "wipe_left": "wipeleft",
    "wipe_right": "wiperight",
    "wipe_up": "wipeup",
    "wipe_down": "wipedown",
}
#: Luma of a colour in limited range (ITU-R BT.709, 6.9); its chroma is 128.
_LUMA = {"fade_black": 16, "fade_white": 235}
_NEUTRAL = 128

Frames = Iterator[av.VideoFrame]


def frames(timeline: Timeline) -> Frames:
    """Every frame of the film, in order; at most two clips are open at a time.

    Raises:
        BadFilm: a clip cannot be decoded.
    """
    yield from _faded(timeline, _joined(timeline))


def _joined(timeline: Timeline) -> Frames:
    before = _of(timeline, timeline.clips[0])
    for clip, following in pairwise([*timeline.clips, None]):
        assert clip is not None
        overlap = following.overlap if following else 0
        for _ in range(clip.frames - clip.overlap - overlap):
            yield next(before)
        if following is None:
            return
        after = _of(timeline, following)
        if overlap:
            yield from _transition(timeline, following.kind, before, after, overlap)
        before = after


def _of(timeline: Timeline, clip: Placed) -> Frames:
    size = (timeline.width, timeline.height)
    return clips.frames(clip.source, clip.first, clip.frames, timeline.fps, size)


def _transition(timeline: Timeline, kind: str, before: Frames, after: Frames, count: int) -> Frames:
    """The `count` frames that two clips share."""
    if kind not in _LUMA:
        yield from _blend(timeline, _XFADE[kind], before, after, count)
        return
    # Both clips run on behind the colour, so that sound and picture stay together.
    half = count // 2
    colour = _colour(timeline, _LUMA[kind])
    for shown in _blend(timeline, "fade", before, _again(colour), half):
        next(after)
        yield shown
    for shown in _blend(timeline, "fade", _again(colour), after, count - half):
        next(before)
        yield shown


def _faded(timeline: Timeline, film: Frames) -> Frames:
    """The film with its fades from and to black."""
    black = _again(_colour(timeline, _LUMA["fade_black"]))
    if timeline.fade_in:
        yield from _blend(timeline, "fade", black, film, timeline.fade_in)
    for _ in range(timeline.frames - timeline.fade_in - timeline.fade_out):
        yield next(film)
    if timeline.fade_out:
        yield from _blend(timeline, "fade", film, black, timeline.fade_out)


def _blend(timeline: Timeline, transition: str, before: Frames, after: Frames, count: int) -> Frames:
    """`count` frames from one stream to another, by FFmpeg's xfade."""
    if not count:
        return
    graph = Graph()
    ends = [
        graph.add(
            "buffer",
            f"video_size={timeline.width}x{timeline.height}:pix_fmt=yuv420p:time_base=1/{timeline.fps}:"
            f"frame_rate={timeline.fps}/1:pixel_aspect=1/1:colorspace=bt709:range=tv",
        )
        for _ in range(2)
    ]
    xfade = graph.add("xfade", f"transition={transition}:duration={count / timeline.fps:.6f}:offset=0")
    sink = graph.add("buffersink")
    for number, end in enumerate(ends):
        end.link_to(xfade, 0, number)
    xfade.link_to(sink)
    graph.configure()
    for position in range(count):
        for end, stream in zip(ends, (before, after), strict=True):
            end.push(_stamped(next(stream), position, timeline.fps))
        yield from _pulled(sink)
    for end in ends:
        end.push(None)
    yield from _pulled(sink)


def _pulled(sink: av.filter.context.FilterContext) -> Frames:
    while True:
        try:
            frame = sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame


def _stamped(frame: av.VideoFrame, position: int, fps: int) -> av.VideoFrame:
    frame.pts, frame.time_base = position, Fraction(1, fps)
    return frame


def _colour(timeline: Timeline, luma: int) -> av.VideoFrame:
    planes = np.full((timeline.height * 3 // 2, timeline.width), _NEUTRAL, np.uint8)
    planes[: timeline.height] = luma
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.colorspace, frame.color_range = 1, 1
    return frame


def _again(frame: av.VideoFrame) -> Frames:
    while True:
        yield frame

"""Clips as files: what each holds, and its frames and samples in the film's size, rate and order."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from ..errors import BadFilm

#: Samples per second of everything that is heard.
RATE = 48_000

#: Samples of both channels, float32, shape (2, samples).
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class ClipFile:
    """What a clip's file holds.

    Attributes:
        frames: of the picture.
        fps: of the picture; constant.
        has_sound: whether it has a sound track.
    """

    path: Path
    width: int
    height: int
    frames: int
    fps: Fraction
    has_sound: bool

    @property
    def seconds(self) -> Fraction:
        """Length of the picture."""
        return self.frames / self.fps


def probe(path: Path, field: str) -> ClipFile:
    """Look into a file.

    Arguments:
        field: of the film, for the error.

    Raises:
        BadFilm: it is not a video, or has no constant frame rate.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            fps = stream.average_rate
            # A header may not say how many frames there are; then they are counted, without decoding.
            frames = stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
            if not fps or not frames:
                raise BadFilm(f"{field}: {path.name} holds no frames.")
            return ClipFile(path, stream.width, stream.height, frames, fps, bool(container.streams.audio))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise BadFilm(f"{field}: {path.name} cannot be opened as a video.") from error


def frames(
    clip: ClipFile, first: Fraction, count: int, fps: int, size: tuple[int, int]
) -> Iterator[av.VideoFrame]:
    """A clip's frames in the film's rate, size and colours (BT.709, limited range, yuv420p).

    Arguments:
        first: where to begin, in seconds of the clip.
        count: how many to give.
        fps: of the film: a clip of twice the rate gives every other frame, one of half the rate each twice.
        size: width and height in pixels; another shape is fitted into it with black bars.

    Raises:
        BadFilm: the file ends early, or cannot be decoded.
    """
    wanted = (math.floor((first + Fraction(k, fps)) * clip.fps) for k in range(count))
    target = next(wanted, None)
    fitter = _Fitter(clip, size)
    try:
        with av.open(str(clip.path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream)):
                if target is None:
                    return
                if number != target:
                    continue
                shown = fitter.fit(frame)
                while target == number:
                    yield shown
                    target = next(wanted, None)
    except av.FFmpegError as error:
        raise BadFilm(f"{clip.path.name} cannot be decoded.") from error
    if target is not None:
        raise BadFilm(f"{clip.path.name} ends before its last frame.")


class _Fitter:
    """Fits frames to the film; the scaler is set up once for a clip."""

    def __init__(self, clip: ClipFile, size: tuple[int, int]) -> None:
        self._clip, self._size = clip, size
        self._graph: Graph | None = None

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._graph is None:
            self._graph = self._made(frame)
        frame.pts = 0
        self._graph.push(frame)
        fitted = self._graph.pull()
        assert isinstance(fitted, av.VideoFrame)
        return fitted

    def _made(self, frame: av.VideoFrame) -> Graph:
        width, height = self._size
        graph = Graph()
        source = graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1:"
            f"frame_rate={self._clip.fps}:colorspace={_known(frame.colorspace)}:range={_range(frame.color_range)}",
        )
        chain = [
            source,
            graph.add(
                "scale",
                f"{width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2:"
                "flags=lanczos:out_color_matrix=bt709:out_range=tv",
            ),
            graph.add("pad", f"{width}:{height}:(ow-iw)/2:(oh-ih)/2:black"),
            graph.add("setsar", "1"),
            graph.add("format", "yuv420p"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*chain)
        graph.configure()
        return graph


def _known(matrix: int) -> str:
    """FFmpeg's name of a colour matrix: 1 is BT.709, 5 and 6 are BT.601; silence is taken for BT.709."""
    return {5: "bt470bg", 6: "smpte170m"}.get(int(matrix), "bt709")


def _range(value: int) -> str:
    return "pc" if int(value) == 2 else "tv"


def sound(path: Path, *, first: int = 0) -> Iterator[Sound]:
    """A file's sound as stereo at RATE, in blocks of any length.

    Arguments:
        first: samples to leave out at the beginning.

    Raises:
        BadFilm: it has no sound that can be decoded.
    """
    left_out = first
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
            for frame in _decoded(container, stream):
                for block in resampler.resample(frame):
                    samples = block.to_ndarray().astype(np.float32, copy=False)
                    if left_out >= samples.shape[1]:
                        left_out -= samples.shape[1]
                        continue
                    yield samples[:, left_out:]
                    left_out = 0
    except (av.FFmpegError, OSError, IndexError) as error:
        raise BadFilm(f"{path.name} has no sound that can be decoded.") from error


def _decoded(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame | None]:
    """The stream's frames, and None at the end, which empties a resampler."""
    yield from container.decode(stream)
    yield None

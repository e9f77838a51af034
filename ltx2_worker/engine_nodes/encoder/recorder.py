"""One pass over a video's frames: the MP4, its pictures and its loudness come out of it."""

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .joined import joined_sound
from .loudness import Loudness, measure
from .mp4 import Mp4
from .order import Files, Order
from .pictures import Animation, Poster
from .seams import Seam, Seams


@dataclass(frozen=True)
class Recorded:
    """What became of an order.

    Arguments:
        bytes: the MP4's size.
        loudness: in LUFS, None for a silent file.
        true_peak: in dBTP, None for a silent file or digital silence.
        silent: whether there is a sound track in which nothing can be heard.
        poster: whether the poster was made; a picture that fails does not cost the video.
        animation: whether the animation was made.
        seams: where kept frames and new ones meet.
    """

    bytes: int
    loudness: float | None
    true_peak: float | None
    silent: bool
    poster: bool
    animation: bool
    seams: tuple[Seam, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON's types."""
        return asdict(self)


class Recorder:
    """Takes an order's frames; `finish` or `abandon` must follow.

    Arguments:
        order: what comes.
        files: what is to be made.
        sound: 32-bit floats, channels by samples; cut or filled with silence to the length of the frames.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, order: Order, files: Files, sound: "np.ndarray[Any, Any] | None") -> None:
        self._files = files
        new = order.frames
        self._kept = files.kept
        if files.kept is not None and sound is not None and files.kept.sound_new:
            joined, sound = joined_sound(order, files.kept, sound)
            order = replace(order, sound=joined)
        if files.kept is not None:
            new, order = order.frames - files.kept.skipped, replace(order, frames=files.kept.frames)
        fitted = None if sound is None else _fitted(sound, order.samples)
        # Of a video with kept pieces, the pictures show what is new.
        self._skipped = files.kept.skipped if files.kept else 0
        # The pictures and the loudness: at most three small tasks beside the encoding.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._pictures: dict[str, Poster | Animation] = {}
        if files.poster:
            self._pictures["poster"] = Poster(files.poster, new)
        if files.animation:
            self._pictures["animation"] = Animation(files.animation, new)
        self._written: dict[str, Future[bool]] = {}
        self._seams = Seams(order, files.kept, new) if files.kept and not files.kept.drops else None
        self._mp4 = Mp4(order, files, fitted)
        self._came = 0
        self._loudness: Future[Loudness] | None = None
        if order.sound is not None and fitted is not None:
            self._loudness = self._pool.submit(measure, fitted, order.sound.rate)

    @property
    def frames(self) -> int:
        """How many frames were taken."""
        return self._mp4.frames

    def add(self, rgb: "np.ndarray[Any, Any]") -> None:
        """Take the next frame: height by width by 3, 8 bits; it may be overwritten afterwards."""
        self._came += 1
        if self._kept is not None:
            if self._came == 1:
                self._splice(self._kept.before)
            if self._came <= self._skipped:
                return
        for name, picture in self._pictures.items():
            if picture.add(self._came - self._skipped - 1, rgb):
                self._written[name] = self._pool.submit(_is_written, picture.write)
        if self._kept is None or not self._kept.drops:
            encoded = self._mp4.add(rgb)
            if self._seams is not None:
                self._seams.add(encoded)

    def finish(self) -> Recorded:
        """Finish all files.

        Raises:
            ValueError: not all frames came.
            OSError: the file cannot be written.
        """
        try:
            if self._kept is not None:
                self._splice(self._kept.after)
            self._mp4.close()
            made = {name: written.result() for name, written in self._written.items()}
            loudness = self._loudness.result() if self._loudness else None
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        return Recorded(
            bytes=self._files.video.stat().st_size,
            loudness=loudness.integrated if loudness else None,
            true_peak=loudness.true_peak if loudness else None,
            silent=loudness.silent if loudness else False,
            poster=made.get("poster", False),
            animation=made.get("animation", False),
            seams=self._seams.measured() if self._seams else (),
        )

    def _splice(self, pieces: Iterable[Path]) -> None:
        for piece in pieces:
            self._mp4.splice(piece)

    def abandon(self) -> None:
        """Let go of everything and remove the file."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(OSError, ValueError):
            self._mp4.abandon()
        self._files.video.unlink(missing_ok=True)


def _is_written(write: Callable[[], None]) -> bool:
    try:
        write()
    except (OSError, ValueError):
        return False
    return True


def _fitted(sound: "np.ndarray[Any, Any]", samples: int) -> "np.ndarray[Any, Any]":
    """So many samples of each channel: what is too long is cut, what is too short ends in silence."""
    cut = sound[:, :samples]
    missing = samples - cut.shape[1]
    return np.ascontiguousarray(np.pad(cut, ((0, 0), (0, missing))) if missing else cut, dtype=np.float32)

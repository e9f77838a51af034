"""Pictures of a video, made of its frames as they pass: a poster JPEG, and a small animated WebP."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_JPEG_QUALITY = 88
#: The animation: so many pictures, spread over the whole video, of this width, this long each.
_PICTURES, _WIDTH, _MILLISECONDS, _WEBP_QUALITY = 40, 320, 125, 60


class Poster:
    """The frame in the middle, as a JPEG of the video's size.

    Arguments:
        path: where it is written.
        frames: how many frames the video has.
    """

    def __init__(self, path: Path, frames: int) -> None:
        self._path = path
        self._middle = frames // 2
        self._picture: Image.Image | None = None

    def add(self, number: int, rgb: "np.ndarray[Any, Any]") -> bool:
        """Look at frame `number`, which may be overwritten afterwards; whether it was the last one needed."""
        if number == self._middle:
            self._picture = Image.fromarray(rgb).copy()
        return number == self._middle

    def write(self) -> None:
        """Write the file; nothing if the frame never came."""
        if self._picture is not None:
            self._picture.save(self._path, "JPEG", quality=_JPEG_QUALITY, optimize=True)


class Animation:
    """The whole video in a few seconds, as a WebP; arguments and methods as `Poster`'s."""

    def __init__(self, path: Path, frames: int) -> None:
        self._path = path
        self._every = max(1, frames // _PICTURES)
        self._wanted = min(_PICTURES, -(-frames // self._every))
        self._pictures: list[Image.Image] = []

    def add(self, number: int, rgb: "np.ndarray[Any, Any]") -> bool:
        """Look at frame `number`, which may be overwritten afterwards; whether it was the last one needed."""
        if number % self._every or len(self._pictures) == self._wanted:
            return False
        height = max(1, round(rgb.shape[0] * _WIDTH / rgb.shape[1]))
        self._pictures.append(Image.fromarray(rgb).resize((_WIDTH, height), Image.Resampling.BICUBIC))
        return len(self._pictures) == self._wanted

    def write(self) -> None:
        """Write the file; nothing if no frame came."""
        if not self._pictures:
            return
        first, *others = self._pictures
        first.save(
            self._path,
            "WEBP",
            save_all=True,
            append_images=others,
            duration=_MILLISECONDS,
            loop=0,
            quality=_WEBP_QUALITY,
            method=2,
        )

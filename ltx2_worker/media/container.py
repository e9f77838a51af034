"""A stranger's media file opened for reading: of an allowed format, and without a way to any other file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

import av
from av.container import InputContainer

from ltx2_api.errors import ErrorCode, WorkerError

from .image import HEIC_BRANDS

#: First boxes of a QuickTime or MP4 file, ISO/IEC 14496-12 and Apple's QuickTime File Format.
_QUICKTIME_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
#: Matroska and WebM are EBML, RFC 8794.
_EBML = b"\x1aE\xdf\xa3"

#: Reads and seeks that a demuxer may make, besides one for each kilobyte of the file. An undamaged file
#: needs at most two for each sample.
CALLS = 100_000


class Metered:
    """A file that allows a number of reads and seeks, and then behaves as if it were at its end.

    FFmpeg's demuxer (mov, libavformat 62.12) can seek to and fro for ever over a damaged index.
    """

    def __init__(self, file: BinaryIO, calls: int) -> None:
        self._file, self._left = file, calls

    @property
    def spent(self) -> bool:
        """Whether no call is left."""
        return self._left <= 0

    def read(self, size: int) -> bytes:
        """Read as a file does."""
        self._left -= 1
        return b"" if self.spent else self._file.read(size)

    def seek(self, offset: int, whence: int) -> int:
        """Seek as a file does; -1 once no call is left."""
        self._left -= 1
        return -1 if self.spent else self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place in the file."""
        return self._file.tell()


@contextmanager
def opened(
    source: Path, field: str, allowed: str, demuxer_of: Callable[[bytes], str | None]
) -> Iterator[tuple[InputContainer, Metered]]:
    """Open a file by the demuxer that its first bytes call for.

    Arguments:
        source: the file as it came.
        field: the input field it came in, for messages.
        allowed: what it must be, for messages.
        demuxer_of: FFmpeg's name of the demuxer for a file's first 16 bytes; None: not allowed.

    Raises:
        WorkerError: MEDIA_REJECTED.
    """
    with source.open("rb") as file:
        demuxer = demuxer_of(file.read(16))
        if demuxer is None:
            reject(field, f"must be {allowed}")
        file.seek(0)
        metered = Metered(file, CALLS + source.stat().st_size // 1024)
        try:
            # From an open file, by a named demuxer: a playlist is not recognised, and what would open
            # another file or URL is refused.
            container = av.open(
                metered, "r", format=demuxer, io_open=_open_nothing, metadata_errors="replace"
            )
        except (av.FFmpegError, ValueError) as error:
            reject(field, f"is damaged: it must be {allowed}", error)
        with container:
            yield container, metered


def video_demuxer(head: bytes) -> str | None:
    """FFmpeg's name of the demuxer that a video's first bytes call for, if its format is an allowed one."""
    if head[4:8] in _QUICKTIME_BOXES and head[8:12] not in HEIC_BRANDS | {b"avif"}:
        return "mov"
    return "matroska" if head.startswith(_EBML) else None


def reject(field: str, what: str, cause: Exception | None = None) -> NoReturn:
    """Refuse a file, with what it is said to be."""
    raise WorkerError(ErrorCode.MEDIA_REJECTED, f"{field} {what}.", field=field) from cause


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a media file refers to another file")

"""A file that is fetched in pieces, under another name until it is whole and right."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from .errors import BadDownload
from .strangers import whole_number
from .wire import Reply

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
#: Bytes between two calls of the listener.
_TELL_EVERY = 1 << 20


class Wrong(Exception):
    """What arrived is not the file: too many bytes, another range, or another checksum."""


class PartFile:
    """The file beside `target` that grows into it; one process at a time.

    Its name holds the checksum, so that what was fetched of another video is never gone on with. It stays
    when a download fails, for the next try.

    Arguments:
        target: the name in the end.
        size: bytes that the whole file has, None if that is not known.
        sha256: its checksum, hexadecimal, None if that is not known.
        listen: is told how many bytes are here, about once a megabyte.
    """

    def __init__(
        self, target: Path, size: int | None, sha256: str | None, listen: Callable[[int], None] | None = None
    ) -> None:
        self._target, self._wanted_size, self._wanted_sha256, self._listen = target, size, sha256, listen
        self.path = target.with_name(f".{target.name}.{(sha256 or 'unknown')[:16]}.part")
        self._lock = FileLock(f"{self.path}.lock", timeout=0)
        self.size = 0
        self._told = 0

    def __enter__(self) -> Self:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._file = self.path.open("a+b")
        except Timeout:
            raise BadDownload(f"{self._target} is being fetched by another process.") from None
        except OSError as error:
            self._lock.release()
            raise self._unwritable(error) from error
        if self._wanted_sha256 is None:
            self.reset()  # nothing would tell whether the rest belongs to this beginning
        self._hash = hashlib.sha256()
        self._file.seek(0)
        while piece := self._file.read(1 << 20):
            self._hash.update(piece)
        self.size = self._told = self._file.tell()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._file.close()
        if self._wanted_sha256 is None or self.size == 0:
            self.path.unlink(missing_ok=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    @property
    def headers(self) -> dict[str, str]:
        """What asks for the bytes that are missing, as they are."""
        identity = {"Accept-Encoding": "identity"}
        return identity | ({"Range": f"bytes={self.size}-"} if self.size else {})

    @property
    def whole(self) -> bool:
        """Whether as many bytes are here as there should be."""
        return self._wanted_size is not None and self.size == self._wanted_size

    def accept(self, head: Reply) -> Callable[[bytes], None] | None:
        """Where the body of an answer goes; None for one that is no file; raises `Wrong`."""
        if head.status == 200:
            if self.size:
                self.reset()
            self._expect(head.headers.get("content-length"))
            return self.write
        if head.status == 206:
            match = _RANGE.fullmatch(head.headers.get("content-range", ""))
            if match is None or whole_number(match[1]) != self.size:
                raise Wrong("another part of the file was sent than the one asked for")
            self._expect(match[2])
            return self.write
        return None

    def write(self, piece: bytes) -> None:
        """Take in the next bytes; raises `Wrong` if there are too many, `BadDownload` if the disk is full."""
        if self._wanted_size is not None and self.size + len(piece) > self._wanted_size:
            raise Wrong(f"more than its {self._wanted_size:,} bytes were sent")
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._unwritable(error) from error
        self._hash.update(piece)
        self.size += len(piece)
        if self._listen and self.size - self._told >= _TELL_EVERY:
            self._told = self.size
            self._listen(self.size)

    def reset(self) -> None:
        """Begin again with nothing."""
        self._file.truncate(0)
        self._file.seek(0)
        self._hash = hashlib.sha256()
        self.size = self._told = 0

    def finish(self) -> Path:
        """Put the file in its place, on the disk to stay; raises `Wrong` if it is not what it should be."""
        if self._wanted_size is not None and self.size != self._wanted_size:
            raise Wrong(f"{self.size:,} of its {self._wanted_size:,} bytes were sent")
        if self._wanted_sha256 is not None and self._hash.hexdigest() != self._wanted_sha256:
            raise Wrong("its checksum is not the one that the worker took")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self.path.replace(self._target)
            sync_folder(self._target.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        if self._listen:
            self._listen(self.size)
        return self._target

    def _expect(self, told: str | None) -> None:
        """Refuse a file of another length before it is fetched."""
        length = whole_number(told) if told else None
        if self._wanted_size is not None and length not in {None, self._wanted_size}:
            raise Wrong(f"the file has {length:,} bytes, not {self._wanted_size:,}")

    def _unwritable(self, error: OSError) -> BadDownload:
        return BadDownload(f"{self._target} cannot be written: {error.strerror or error}.")


def sha256_of(path: Path) -> str:
    """A file's checksum, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where folders can be synced (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""A directory as a store: a mounted network volume, or a folder of this machine."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from ..deadline import Deadline
from .store import RECORD_BYTES, Digest, Location, StoreFault, digest_of

#: What says that names were not written; anything else says that this directory cannot be flushed at all,
#: as those of some network file systems and those that this user may not read.
_LOST_NAMES = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})


class FolderStore:
    """Files in one directory, which is made when it is first needed.

    A file is written under a hidden name, flushed to the disk and renamed, so that neither a reader nor a
    crash ever meets half of it.

    Arguments:
        folder: the directory.
        noun: what to call it in a sentence.
    """

    def __init__(self, folder: Path, noun: str = "folder") -> None:
        self.noun = noun
        self._folder = folder.absolute()

    def check(self, deadline: Deadline) -> None:
        """Write and remove a small file."""
        probe = f".check-{uuid4().hex}"
        self.put_bytes(probe, b"ltx2-worker", deadline)
        with _faults():
            (self._folder / probe).unlink()

    def put_file(
        self,
        name: str,
        source: Path,
        job_id: str,
        deadline: Deadline,
        *,
        expected: Digest | None = None,
    ) -> Digest:
        """Link the file into the folder where both are on one file system, else copy it."""
        deadline.check()
        sent = digest_of(source)
        sent.require(expected)
        with _faults(), self._new_file(name) as partial:
            try:
                partial.hardlink_to(source)
            except OSError:
                shutil.copyfile(source, partial)
                if digest_of(partial) != sent:
                    raise StoreFault("holds a damaged copy", transient=True) from None
        return sent

    def put_bytes(self, name: str, data: bytes, deadline: Deadline) -> None:
        """Write a small file."""
        deadline.check()
        with _faults(), self._new_file(name) as partial:
            partial.write_bytes(data)

    def read(self, name: str, deadline: Deadline) -> bytes | None:
        """Return a small file's content, None where there is none."""
        with _faults():
            try:
                # Without O_NONBLOCK, opening a named pipe waits until somebody writes into it.
                file = os.open(self._folder / name, os.O_RDONLY | os.O_NONBLOCK)
            except FileNotFoundError:
                return None
            with open(file, "rb") as opened:  # noqa: PTH123 - from a descriptor
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise StoreFault("holds something else under a record's name", transient=False)
                data = opened.read(RECORD_BYTES + 1)
        if len(data) > RECORD_BYTES:
            raise StoreFault("holds something else under a record's name", transient=False)
        return data

    def holds(self, name: str, digest: Digest, deadline: Deadline) -> bool:
        """Whether the file is there, with this size and SHA-256."""
        path = self._folder / name
        with _faults():
            try:
                found = path.stat()
                if not stat.S_ISREG(found.st_mode) or found.st_size != digest.bytes:
                    return False
                return digest_of(path).sha256 == digest.sha256
            except FileNotFoundError:
                return False

    def has(self, name: str, deadline: Deadline) -> bool:
        """Whether anything lies under this name."""
        with _faults():
            try:
                (self._folder / name).lstat()
            except FileNotFoundError:
                return False
        return True

    def location(self, name: str) -> Location:
        """Return the file's path."""
        return Location(path=self._folder / name)

    @contextmanager
    def _new_file(self, name: str) -> Iterator[Path]:
        """A hidden file to write: it becomes `name` when the block ends well, else it is removed."""
        make_folder(self._folder)
        partial = self._folder / f".{name}.{uuid4().hex}"
        try:
            yield partial
            flush(partial)
            partial.replace(self._folder / name)
            flush(self._folder)
        finally:
            # After the rename there is nothing to remove; two links to one file are not renamed (POSIX).
            partial.unlink(missing_ok=True)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a directory and its parents; what is new survives a crash of the machine. Raises `OSError`."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=mode, exist_ok=True)
        flush(folder.parent)


def flush(path: Path) -> None:
    """Make the kernel write a file, or the names in a directory, to the disk. Raises `OSError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _LOST_NAMES or not path.is_dir():
            raise


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # strerror ("No space left on device") names no path; str(error) does.
        raise StoreFault(
            f"cannot be used: {error.strerror or 'input/output error'}", transient=False
        ) from error

"""A folder as a store: a mounted network volume, or a directory of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from ..deadline import Deadline
from .store import Digest, Link, StoreFault, digest, place


class FolderStore:
    """Files in one directory, which is made when it is first needed.

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
        self.put_bytes(probe, b"ltx2-worker", "text/plain", deadline)
        with _faults():
            (self._folder / probe).unlink()

    def put_file(self, name: str, source: Path, content_type: str, job_id: str, deadline: Deadline) -> Digest:
        """Link or copy the file into the folder."""
        deadline.check()
        with _faults():
            self._folder.mkdir(parents=True, exist_ok=True)
            place(source, self._folder / name)
            return digest(self._folder / name)

    def put_bytes(self, name: str, data: bytes, content_type: str, deadline: Deadline) -> None:
        """Write a small file, all at once."""
        deadline.check()
        with _faults():
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = self._folder / f".{name}.{uuid4().hex}"
            try:
                partial.write_bytes(data)
                partial.replace(self._folder / name)
            finally:
                partial.unlink(missing_ok=True)

    def read(self, name: str, deadline: Deadline) -> bytes | None:
        """Return a small file's content, None where there is none."""
        with _faults():
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                return None

    def size(self, name: str, deadline: Deadline) -> int | None:
        """Return a file's size in bytes, None where there is none."""
        with _faults():
            try:
                return (self._folder / name).stat().st_size
            except FileNotFoundError:
                return None

    def link(self, name: str) -> Link:
        """Return the file's path."""
        return Link(path=self._folder / name)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # strerror ("No space left on device") names no path; str(error) does.
        raise StoreFault(
            f"cannot be used: {error.strerror or 'input/output error'}", transient=False
        ) from error

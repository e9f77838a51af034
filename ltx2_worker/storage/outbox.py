"""Finished videos that their store did not take: kept here, within bounds, until it does.

Each is a folder with a job's files and its record, as `FolderStore` writes them, made under a hidden name and
renamed when it is complete: a worker that dies in between leaves nothing that looks whole. A video is checked
against its record before it is delivered; what is damaged is set aside, and is the first to make room.

Several workers may share an outbox on a network volume: two that deliver the same entry send the same bytes
to the same key. Everything below `outbox/` belongs to it; version 0.1's entries, which lie beside `outbox/`,
are delivered like any other.
"""

import errno
import hashlib
import logging
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from ..deadline import Deadline
from .folder import FolderStore, flush, make_folder
from .outbox_entry import DamagedEntry, Entry, EntryRecord, is_older, load_entry, load_older
from .record import Artifacts, store_pictures, store_record, store_video
from .store import StoreFault

log = logging.getLogger(__name__)

_WRITING = ".writing-"
_DAMAGED = ".damaged-"
_GONE = ".gone-"
#: What rename(2) says where a folder with something in it is in the way.
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})
#: An entry that has been written for longer belongs to no worker that is still alive.
_ABANDONED_SECONDS = 3600
#: What writing an entry may take, in seconds.
_WRITE_SECONDS = 900.0


class Outbox:
    """A bounded folder of undelivered videos.

    Arguments:
        folder: where its own directory is made when it is first needed.
        max_videos: most entries.
        max_bytes: most bytes in all; damaged entries, then the oldest ones, make room.
    """

    def __init__(self, folder: Path, max_videos: int, max_bytes: int) -> None:
        self._older = folder
        self._folder = folder / "outbox"
        self._max_videos = max_videos
        self._max_bytes = max_bytes

    def enqueue(self, artifacts: Artifacts, *, for_job_bucket: bool) -> bool:
        """Keep a job's files until they are delivered; whether that was possible."""
        try:
            needed = sum(path.stat().st_size for path in (artifacts.video, *artifacts.pictures.values()))
            if needed > self._max_bytes:
                raise StoreFault("is too large for the outbox", transient=False)
            try:
                self._write(artifacts, needed, for_job_bucket)
            except DamagedEntry:
                # A worker whose clock is wrong has taken what is being written for an abandoned entry.
                self._write(artifacts, needed, for_job_bucket)
        except (OSError, StoreFault, DamagedEntry) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            log.error("video not kept", extra={"file": artifacts.name, "why": why})
            return False
        return True

    def find(self, name: str, input_digest: str) -> Entry | None:
        """Return what is kept for a job and is whole."""
        folder, older = self._folder / _folder_name(name, input_digest), self._older / name
        entry = self._load(folder) or (self._load(older) if is_older(older) else None)
        return entry if entry is not None and entry.artifacts.input_digest == input_digest else None

    def find_request(self, request_name: str, input_digest: str) -> Entry | None:
        """Return what another job with the same request's id and the same input has left here."""
        # A folder's name tells the input, so that no other entry need be opened.
        same_input = _folder_name("", input_digest)
        for folder in _listed(self._folder):
            if folder.name[0] != "." and folder.name.endswith(same_input):
                entry = self._load(folder)
                if entry is not None and entry.artifacts.request_name == request_name:
                    return entry
        return None

    def entries(self) -> Iterator[Entry]:
        """Yield what is kept and whole, the oldest first; what a dead worker left half-written is removed."""
        self._remove_abandoned()
        for folder in self._kept():
            if folder.name[0] != "." and (entry := self._load(folder)) is not None:
                yield entry

    def forget(self, entry: Entry) -> None:
        """Remove what was delivered."""
        self._remove(entry.folder)

    def _write(self, artifacts: Artifacts, needed: int, for_job_bucket: bool) -> None:
        """Write an entry and make sure that it can be read back."""
        folder = self._folder / _folder_name(artifacts.name, artifacts.input_digest)
        partial = self._folder / f"{_WRITING}{uuid4().hex}"
        store, deadline = FolderStore(partial), Deadline(_WRITE_SECONDS)
        try:
            make_folder(self._folder, mode=0o700)
            partial.mkdir(mode=0o700)
            record = store_pictures(store, artifacts, store_video(store, artifacts, deadline), deadline)
            kept = EntryRecord(**record.model_dump(), for_job_bucket=for_job_bucket)
            store_record(store, kept, deadline)
            load_entry(partial, artifacts.name)
            if self._load(folder) is not None:
                return  # kept already: by a try before this one, or by another worker that had the job too
            self._set_aside(folder)
            self._make_room(needed)
            try:
                partial.rename(folder)
            except OSError:
                if self._load(folder) is None:  # else another worker was quicker by a moment
                    raise
            flush(self._folder)
        finally:
            self._remove(partial)

    def _load(self, folder: Path) -> Entry | None:
        """Return an entry that is whole; a damaged one is set aside, an unreadable one is left as it is."""
        try:
            if folder.parent != self._folder:
                return load_older(folder)
            return load_entry(folder, folder.name.rpartition(".")[0])
        except DamagedEntry as damage:
            if os.path.lexists(folder):  # else there is none, or another worker has delivered it just now
                log.error("outbox entry damaged", extra={"entry": folder.name, "why": str(damage)})
                self._set_aside(folder)
        except OSError as error:
            log.warning("outbox entry unreadable", extra={"entry": folder.name, "why": error.strerror})
        return None

    def _set_aside(self, folder: Path) -> None:
        """Take a damaged entry out of the way; another worker may have put a whole one into its place."""
        aside = self._folder / f"{_DAMAGED}{folder.name}.{uuid4().hex[:8]}"
        try:
            make_folder(self._folder, mode=0o700)
            folder.rename(aside)
            load_entry(aside, folder.name.rpartition(".")[0])
            aside.rename(folder)
        except (FileNotFoundError, DamagedEntry):
            return  # there is none; or it is damaged indeed
        except OSError as error:
            if error.errno in _TAKEN:  # the very same video was put there once more
                self._remove(aside)
                return
            log.warning("outbox entry not set aside", extra={"entry": folder.name, "why": error.strerror})

    def _kept(self) -> list[Path]:
        """Every entry, the oldest first, damaged ones included."""
        older = [folder for folder in _listed(self._older) if is_older(folder)]
        return older + [path for path in _listed(self._folder) if not path.name.startswith(_WRITING)]

    def _make_room(self, needed: int) -> None:
        kept = sorted(self._kept(), key=lambda folder: folder.name[0] != ".")
        sizes = [_size(folder) for folder in kept]
        while kept and (len(kept) >= self._max_videos or sum(sizes) + needed > self._max_bytes):
            folder, size = kept.pop(0), sizes.pop(0)
            log.error("outbox full: an entry is given up", extra={"entry": folder.name, "bytes": size})
            self._remove(folder)

    def _remove_abandoned(self) -> None:
        for path in _listed(self._folder):
            writing, age = path.name.startswith(_WRITING), abs(time.time() - _modified(path))
            if path.name.startswith(_GONE) or (writing and age > _ABANDONED_SECONDS):
                self._remove(path)

    def _remove(self, path: Path) -> None:
        """Remove an entry, or whatever lies in its place; another worker sees it whole or not at all."""
        gone = self._folder / f"{_GONE}{uuid4().hex}"
        with suppress(OSError):
            make_folder(self._folder, mode=0o700)
            path.rename(gone)
            if stat.S_ISDIR(gone.lstat().st_mode):
                shutil.rmtree(gone, ignore_errors=True)
            else:
                gone.unlink()


def _folder_name(name: str, input_digest: str) -> str:
    """The same id with another input is another job, and has a folder of its own."""
    return f"{name}.{hashlib.sha256(input_digest.encode()).hexdigest()[:16]}"


def _listed(folder: Path) -> list[Path]:
    """What is in a folder, the oldest first; nothing where it is absent or cannot be read."""
    try:
        return sorted(folder.iterdir(), key=_modified)
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("outbox unreadable", extra={"why": error.strerror})
        return []


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:  # removed by another worker, or unreadable
        return 0.0


def _size(entry: Path) -> int:
    total = 0
    for parent, _, names in os.walk(entry):
        for name in names:
            with suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total

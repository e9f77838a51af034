"""Finished videos that their store did not take: kept here, within bounds, until it does.

Each is a folder named after its job, made under a hidden name and renamed when complete, so that a worker
that dies in between leaves nothing that looks whole. Several workers may share a spool on a network volume:
two that deliver the same entry send the same bytes to the same key.
"""

import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from .store import place

log = logging.getLogger(__name__)

_ENTRY = "entry.json"
#: A hidden folder older than this belongs to no worker that is still writing it.
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class Entry:
    """One kept video.

    Arguments:
        name: the job's object name, which is the folder's too.
        folder: where its files lie, under the names they were given.
        note: what `keep` was told about it.
        bytes: its size in all.
    """

    name: str
    folder: Path
    note: Mapping[str, object]
    bytes: int


class Spool:
    """A bounded folder of undelivered videos.

    Arguments:
        folder: its directory, made when first needed.
        max_videos: most entries.
        max_bytes: most bytes in all; the oldest entries make room.
    """

    def __init__(self, folder: Path, max_videos: int, max_bytes: int) -> None:
        self._folder = folder
        self._max_videos = max_videos
        self._max_bytes = max_bytes

    def keep(self, name: str, files: Mapping[str, Path], note: Mapping[str, object]) -> bool:
        """Keep a job's files in place of what was kept for it before; whether that was possible.

        Arguments:
            name: the job's object name.
            files: file name in the entry -> file to keep.
            note: what is needed to deliver it later; it becomes JSON.
        """
        partial = self._folder / f".{name}.{uuid4().hex}"
        try:
            needed = sum(path.stat().st_size for path in files.values())
            if needed > self._max_bytes:
                log.error("spool: %d bytes are more than it may hold", needed)
                return False
            self.forget(name)
            self._make_room(needed)
            partial.mkdir(parents=True, mode=0o700)
            for file_name, path in files.items():
                place(path, partial / file_name)
            (partial / _ENTRY).write_text(json.dumps(note), encoding="utf-8")
            partial.rename(self._folder / name)
        except OSError as error:
            log.error("spool: the video could not be kept: %s", error.strerror)
            shutil.rmtree(partial, ignore_errors=True)
            return False
        return True

    def find(self, name: str) -> Entry | None:
        """Return what is kept for a job."""
        folder = self._folder / name
        try:
            note = json.loads((folder / _ENTRY).read_text(encoding="utf-8"))
            size = sum(path.stat().st_size for path in folder.iterdir())
        except (OSError, ValueError):
            return None
        return Entry(name, folder, note, size) if isinstance(note, dict) else None

    def forget(self, name: str) -> None:
        """Remove what is kept for a job, if anything."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def entries(self) -> Iterator[Entry]:
        """Yield what is kept, the oldest first; what a dead worker left half-made is removed."""
        self._remove_abandoned()
        for folder in self._folders():
            if (entry := self.find(folder.name)) is not None:
                yield entry

    def _folders(self) -> list[Path]:
        """The entries' folders, the oldest first."""
        dated: list[tuple[float, Path]] = []
        try:
            found = [folder for folder in self._folder.iterdir() if not folder.name.startswith(".")]
        except FileNotFoundError:
            return []
        for folder in found:
            # Another worker may have removed it.
            with suppress(FileNotFoundError):
                dated.append((folder.stat().st_mtime, folder))
        return [folder for _, folder in sorted(dated)]

    def _make_room(self, needed: int) -> None:
        entries = [entry for folder in self._folders() if (entry := self.find(folder.name)) is not None]
        total = sum(entry.bytes for entry in entries)
        while entries and (len(entries) >= self._max_videos or total + needed > self._max_bytes):
            oldest = entries.pop(0)
            log.error("spool: %s is given up to make room", oldest.name)
            total -= oldest.bytes
            self.forget(oldest.name)

    def _remove_abandoned(self) -> None:
        if not self._folder.is_dir():
            return
        for folder in self._folder.glob(".*"):
            try:
                if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError:
                continue

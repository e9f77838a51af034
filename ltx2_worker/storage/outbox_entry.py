"""What the outbox keeps of one job, read back and checked: its own format, and version 0.1's."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ltx2_api.record import object_name

from .record import ANIMATION, POSTER, RECORD, VIDEO, Artifacts, Record
from .store import RECORD_BYTES, digest_of

#: The note of an entry of version 0.1.
_NOTE = "entry.json"


@dataclass(frozen=True)
class Entry:
    """One kept video: its folder, its files, and whether it was meant for a bucket that the job brought."""

    folder: Path
    artifacts: Artifacts
    for_job_bucket: bool


class EntryRecord(Record):
    """A record that also says where the video was going; nobody's keys are kept."""

    for_job_bucket: bool = False


class _Note(BaseModel):
    """What version 0.1 wrote about an entry; `where` is "job_bucket" or another kind of destination."""

    job_id: str
    input_digest: str
    where: str
    result: dict[str, Any]


class DamagedEntry(Exception):  # noqa: N818 - a finding, told to the log
    """An entry is not what a worker wrote; the text says why."""


def load_entry(folder: Path, name: str) -> Entry:
    """Return an entry after comparing its files with its record. Raises `DamagedEntry`, `OSError`."""
    record = EntryRecord.parse(_content(folder, name + RECORD))
    if not isinstance(record, EntryRecord) or record.name != name:
        raise DamagedEntry("its record is none")
    files = {Path(file).suffix: _regular(folder, file, size) for file, size in record.files.items()}
    if digest_of(files[VIDEO]).sha256 != record.sha256:
        raise DamagedEntry("its video is not the one that was kept")
    artifacts = Artifacts(
        name=name,
        job_id=record.job_id,
        input_digest=record.input_digest,
        video=files[VIDEO],
        result=record.result,
        poster=files.get(POSTER),
        animation=files.get(ANIMATION),
        digest=record.digest,
        request_name=record.request_name,
    )
    return Entry(folder, artifacts, record.for_job_bucket)


def is_older(folder: Path) -> bool:
    """Whether a folder is an entry of version 0.1; another folder beside them may be anybody's."""
    return os.path.lexists(folder / _NOTE)


def load_older(folder: Path) -> Entry:
    """Return an entry of version 0.1, which holds no sizes or digests. Raises `DamagedEntry`, `OSError`."""
    try:
        note = _Note.model_validate_json(_content(folder, _NOTE))
    except ValidationError:
        raise DamagedEntry("its note is none") from None
    name = folder.name
    if object_name(note.job_id) != name:
        raise DamagedEntry("its note is another job's")
    files = {suffix: folder / f"{name}{suffix}" for suffix in (POSTER, ANIMATION)}
    there = {suffix: path for suffix, path in files.items() if path.is_file()}
    video = _regular(folder, name + VIDEO)
    if not video.stat().st_size:
        raise DamagedEntry("its video is empty")
    artifacts = Artifacts(
        name=name,
        job_id=note.job_id,
        input_digest=note.input_digest,
        video=video,
        result=note.result,
        poster=there.get(POSTER),
        animation=there.get(ANIMATION),
    )
    return Entry(folder, artifacts, note.where == "job_bucket")


def _regular(folder: Path, name: str, size: int | None = None) -> Path:
    """The path of a plain file in a plain folder: opening a pipe would wait, a link leads elsewhere."""
    path = folder / name
    try:
        found = path.lstat() if stat.S_ISDIR(folder.lstat().st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        found = None
    if found is None or not stat.S_ISREG(found.st_mode):
        raise DamagedEntry(f"{name} is missing")
    if size is not None and found.st_size != size:
        raise DamagedEntry(f"{name} has another size than it had")
    return path


def _content(folder: Path, name: str) -> bytes:
    path = _regular(folder, name)
    if path.stat().st_size > RECORD_BYTES:
        raise DamagedEntry(f"{name} is too large")
    return path.read_bytes()

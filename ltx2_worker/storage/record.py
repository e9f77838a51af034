"""A job's files in a store, and the record that says that they are all there.

`NAME.mp4`, `NAME.jpg` and `NAME.webp` where they exist, then `NAME.json`: written last, the commit mark.
It holds no URL: a presigned one would outlive its use, so links are made anew each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..deadline import Deadline
from .destination import Where
from .names import object_name
from .spool import Entry, Spool
from .store import Digest, Link, Store

_CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".webp": "image/webp"}


@dataclass(frozen=True)
class Delivery:
    """Where a job's files are, for the reply.

    Arguments:
        where: the kind of destination.
        bytes: the video's size.
        sha256: the video's digest, hexadecimal.
        video: its URL or path; without either when the video is in `base64`.
        poster: the JPEG's, if there is one.
        preview: the animated WebP's, if there is one.
        base64: the video itself, for an inline reply.
    """

    where: Where
    bytes: int
    sha256: str
    video: Link
    poster: Link | None = None
    preview: Link | None = None
    base64: str | None = None

    @property
    def expires_at(self) -> datetime | None:
        """When the URLs stop working (UTC), None if they do not."""
        return self.video.expires_at


@dataclass(frozen=True)
class Found:
    """A job that was done before: the result handed to `deliver`, and fresh links to its files."""

    result: Mapping[str, Any]
    delivery: Delivery


@dataclass(frozen=True)
class Parcel:
    """One job's files on their way: suffix -> file, and what the record says of them."""

    job_id: str
    input_digest: str
    files: Mapping[str, Path]
    result: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the job's files are called, without suffix."""
        return object_name(self.job_id)


class _Record(BaseModel):
    """The content of `NAME.json`; `files` is name -> bytes, `sha256` the video's."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    job_id: str
    input_digest: str
    files: dict[str, int]
    sha256: str
    result: dict[str, Any]


class _Note(BaseModel):
    """What the spool is told about a parcel; `where` is the kind of destination that failed."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    input_digest: str
    where: Where
    result: dict[str, Any]


def hand_over(where: Where, store: Store, parcel: Parcel, deadline: Deadline) -> Delivery:
    """Store the files and, when all are there, the record; raises `StoreFault`."""
    digests: dict[str, Digest] = {}
    for suffix, path in parcel.files.items():
        name = parcel.name + suffix
        digests[name] = store.put_file(name, path, _CONTENT_TYPES[suffix], parcel.job_id, deadline)
    record = _Record(
        job_id=parcel.job_id,
        input_digest=parcel.input_digest,
        files={name: entry.bytes for name, entry in digests.items()},
        sha256=digests[f"{parcel.name}.mp4"].sha256,
        result=dict(parcel.result),
    )
    data = record.model_dump_json(indent=1).encode()
    store.put_bytes(f"{parcel.name}.json", data, "application/json", deadline)
    return _delivery(where, store, parcel.name, record)


def find_record(
    where: Where, store: Store, name: str, input_digest: str | None, deadline: Deadline
) -> Found | None:
    """Return the job that a record tells of, if its video is still there; raises `StoreFault`.

    Arguments:
        name: the job's object name.
        input_digest: what the job must have been asked with; None takes any.
    """
    data = store.read(f"{name}.json", deadline)
    if data is None:
        return None
    try:
        record = _Record.model_validate_json(data)
    except ValidationError:
        return None
    size = record.files.get(f"{name}.mp4")
    if input_digest not in {None, record.input_digest} or size is None:
        return None
    if store.size(f"{name}.mp4", deadline) != size:
        return None
    return Found(record.result, _delivery(where, store, name, record))


def packed(where: Where, parcel: Parcel, spool: Spool) -> bool:
    """Put a parcel that its destination did not take into the spool; whether that was possible."""
    note = _Note(
        job_id=parcel.job_id, input_digest=parcel.input_digest, where=where, result=dict(parcel.result)
    )
    files = {parcel.name + suffix: path for suffix, path in parcel.files.items()}
    return spool.keep(parcel.name, files, note.model_dump(mode="json"))


def unpacked(entry: Entry) -> tuple[Where, Parcel] | None:
    """Return a kept parcel and the destination that it was for, None if it is not whole."""
    try:
        note = _Note.model_validate(entry.note)
    except ValidationError:
        return None
    files = {suffix: entry.folder / f"{entry.name}{suffix}" for suffix in _CONTENT_TYPES}
    kept = {suffix: path for suffix, path in files.items() if path.is_file()}
    if ".mp4" not in kept or object_name(note.job_id) != entry.name:
        return None
    return note.where, Parcel(note.job_id, note.input_digest, kept, note.result)


def _delivery(where: Where, store: Store, name: str, record: _Record) -> Delivery:
    video, poster, preview = f"{name}.mp4", f"{name}.jpg", f"{name}.webp"
    return Delivery(
        where=where,
        bytes=record.files[video],
        sha256=record.sha256,
        video=store.link(video),
        poster=store.link(poster) if poster in record.files else None,
        preview=store.link(preview) if preview in record.files else None,
    )

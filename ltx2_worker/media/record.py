"""A job's files in a store, and the record that says that they are all there.

`NAME.mp4`, `NAME.jpg` and `NAME.webp` where they exist, then `NAME.json`: written last, the commit mark.
It holds no URL: a presigned one would outlive its use, so links are made anew each time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..limits import Limits
from .destination import Where
from .names import object_name
from .spool import Entry
from .store import Digest, Link, Store

_CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".webp": "image/webp"}
_RECORD_FORMAT = 1


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


def hand_over(where: Where, store: Store, parcel: Parcel, limits: Limits) -> Delivery:
    """Store the files and, when all are there, the record."""
    digests: dict[str, Digest] = {}
    for suffix, path in parcel.files.items():
        digests[suffix] = store.put_file(
            parcel.name + suffix, path, _CONTENT_TYPES[suffix], parcel.job_id, limits
        )
    video = digests[".mp4"]
    record = {
        "format": _RECORD_FORMAT,
        "job_id": parcel.job_id,
        "input_digest": parcel.input_digest,
        "files": {parcel.name + suffix: entry.bytes for suffix, entry in digests.items()},
        "sha256": video.sha256,
        "result": parcel.result,
    }
    data = json.dumps(record, indent=1, allow_nan=False).encode()
    store.put_bytes(f"{parcel.name}.json", data, "application/json", limits)
    return _delivery(where, store, parcel.name, record)


def find_record(
    where: Where, store: Store, name: str, input_digest: str | None, limits: Limits
) -> Found | None:
    """Return the job that a record tells of, if its video is still there.

    Arguments:
        name: the job's object name.
        input_digest: what the job must have been asked with; None takes any.
    """
    data = store.read(f"{name}.json", limits)
    try:
        record = json.loads(data) if data is not None else None
    except ValueError:
        record = None
    if not isinstance(record, dict) or record.get("format") != _RECORD_FORMAT:
        return None
    if input_digest not in {None, record["input_digest"]}:
        return None
    if store.size(f"{name}.mp4", limits) != record["files"][f"{name}.mp4"]:
        return None
    return Found(record["result"], _delivery(where, store, name, record))


def _delivery(where: Where, store: Store, name: str, record: Mapping[str, Any]) -> Delivery:
    files = record["files"]
    delivery = Delivery(where, files[f"{name}.mp4"], record["sha256"], store.link(f"{name}.mp4"))
    if f"{name}.jpg" in files:
        delivery = replace(delivery, poster=store.link(f"{name}.jpg"))
    if f"{name}.webp" in files:
        delivery = replace(delivery, preview=store.link(f"{name}.webp"))
    return delivery


def unpacked(entry: Entry) -> Parcel:
    """Return a kept job's files and record, as they were to be handed over."""
    note: Mapping[str, Any] = entry.note
    files = {suffix: entry.folder / f"{entry.name}{suffix}" for suffix in (".mp4", ".jpg", ".webp")}
    kept = {suffix: path for suffix, path in files.items() if path.is_file()}
    return Parcel(note["job_id"], note["input_digest"], kept, note["result"])

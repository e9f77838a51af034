"""Where finished files go: what every store can do, and how one says that it cannot.

`store_s3.S3Store` is a bucket, `store_folder.FolderStore` a network volume or a folder; `publish` tells
them apart only to choose one.
"""

import base64
import hashlib
import shutil
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from ..deadline import Deadline

#: S3 uploads go in parts of this size; the checksum of a multipart object is made of its parts' checksums.
PART_BYTES = 8 * 1024 * 1024


class StoreFault(Exception):  # noqa: N818 - a store's failure, worded by `publish` before it leaves
    """A store did not do what it was asked.

    Arguments:
        reason: what happened, to be read after "The bucket " or "The folder "; no host, path or secret.
        transient: whether the same request may succeed a little later.
    """

    def __init__(self, reason: str, *, transient: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient


@dataclass(frozen=True)
class Link:
    """Where a stored file is found: a URL, or a path on this machine or its volume."""

    url: str | None = None
    path: Path | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Digest:
    """A file's size in bytes and its checksums: SHA-256, and CRC-32 in the two forms that S3 uses."""

    bytes: int
    sha256: str
    crc32: str
    crc32_of_parts: str


class Store(Protocol):
    """A place that keeps files by name."""

    noun: str  # "bucket", "network volume", "folder": for sentences

    def check(self, deadline: Deadline) -> None:
        """Write and remove something small; raise `StoreFault` if that fails."""

    def put_file(self, name: str, source: Path, content_type: str, job_id: str, deadline: Deadline) -> Digest:
        """Store the file `source` and verify it; the source stays. Raises `StoreFault`."""

    def put_bytes(self, name: str, data: bytes, content_type: str, deadline: Deadline) -> None:
        """Store a few kilobytes. Raises `StoreFault`."""

    def read(self, name: str, deadline: Deadline) -> bytes | None:
        """Return a small stored file, None where there is none. Raises `StoreFault`."""

    def size(self, name: str, deadline: Deadline) -> int | None:
        """Return a stored file's size in bytes, None where there is none. Raises `StoreFault`."""

    def link(self, name: str) -> Link:
        """Return where a stored file is found, for the caller."""


def digest(path: Path) -> Digest:
    """Return a file's checksums, read once and in pieces."""
    sha256 = hashlib.sha256()
    size = crc_whole = 0
    part_crcs = b""
    with path.open("rb") as file:
        while True:
            crc_part = filled = 0
            while filled < PART_BYTES and (piece := file.read(min(1 << 20, PART_BYTES - filled))):
                filled += len(piece)
                sha256.update(piece)
                crc_part = zlib.crc32(piece, crc_part)
                crc_whole = zlib.crc32(piece, crc_whole)
            if not filled:
                break
            size += filled
            part_crcs += crc_part.to_bytes(4, "big")
    return Digest(
        bytes=size,
        sha256=sha256.hexdigest(),
        crc32=_base64(crc_whole),
        crc32_of_parts=_base64(zlib.crc32(part_crcs)),
    )


def place(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, all at once: a reader never sees half of it.

    A hard link where both are on one file system, else a copy. Raises `OSError`.
    """
    partial = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        try:
            partial.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _base64(crc32: int) -> str:
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()

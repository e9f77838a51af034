"""What every place for finished files can do, and how it says that it cannot.

`s3.S3Store` is a bucket, `folder.FolderStore` a network volume or a directory.
"""

import base64
import hashlib
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ..deadline import Deadline

#: S3 uploads go in parts of this size; the checksum of a multipart object is made of its parts' checksums.
PART_BYTES = 8 * 1024 * 1024
#: No record is larger; whatever is larger under a record's name is something else.
RECORD_BYTES = 256 * 1024


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


class DamagedFile(OSError):  # noqa: N818 - an OSError like any other that a file on this disk can raise
    """A file on this machine's disk is no longer what it was when it was finished."""


@dataclass(frozen=True)
class Location:
    """Where a stored file is found: its URL and key in a bucket, or its path in a folder."""

    url: str | None = None
    key: str | None = None
    path: Path | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Digest:
    """What identifies a file's content.

    Arguments:
        bytes: its size.
        sha256: hexadecimal.
        crc32: base64, in the two forms that S3 reports: of the whole file, and of its parts' checksums;
            empty where they are not known.
    """

    bytes: int
    sha256: str
    crc32: tuple[str, ...] = ()

    def require(self, expected: "Digest | None") -> None:
        """Raise `DamagedFile` unless this is the digest of the file that `expected` was taken of."""
        if expected is not None and (self.bytes, self.sha256) != (expected.bytes, expected.sha256):
            raise DamagedFile(0, "is not the file that was finished")


class Store(Protocol):
    """A place that keeps files by name."""

    noun: str  # "bucket", "network volume", "folder": for sentences

    def check(self, deadline: Deadline) -> None:
        """Write and remove something small; raise `StoreFault` if that fails."""

    def put_file(
        self,
        name: str,
        source: Path,
        job_id: str,
        deadline: Deadline,
        *,
        expected: Digest | None = None,
    ) -> Digest:
        """Store the file `source` durably and verify it; the source stays.

        Raises `StoreFault`, and `OSError` where the source cannot be read: `DamagedFile` if it is not
        `expected`.
        """

    def put_bytes(self, name: str, data: bytes, deadline: Deadline) -> None:
        """Store a few kilobytes durably. Raises `StoreFault`."""

    def read(self, name: str, deadline: Deadline) -> bytes | None:
        """Return a small stored file, None where there is none. Raises `StoreFault`."""

    def holds(self, name: str, digest: Digest, deadline: Deadline) -> bool:
        """Whether a stored file is there and has the content of `digest`. Raises `StoreFault`."""

    def has(self, name: str, deadline: Deadline) -> bool:
        """Whether a file of any content is stored under a name. Raises `StoreFault`."""

    def location(self, name: str) -> Location:
        """Return where a stored file is found, for the caller."""


def digest_of(path: Path) -> Digest:
    """Return a file's digest, read once and in pieces. Raises `OSError`."""
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
    return Digest(size, sha256.hexdigest(), (_base64(crc_whole), _base64(zlib.crc32(part_crcs))))


def _base64(crc32: int) -> str:
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()

"""A job's files in a store, and the record that says that they are all there.

`NAME.mp4`, `NAME.jpg` and `NAME.webp` where they exist, then `NAME.json`: written last, the commit mark.
It holds no URL: a presigned one would outlive its use, so links are made anew each time.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ltx2_api.errors import WorkerError

from ..deadline import Deadline
from .store import Digest, Location, Store, StoreFault

log = logging.getLogger(__name__)

VIDEO, POSTER, ANIMATION, RECORD = ".mp4", ".jpg", ".webp", ".json"

#: A file's name without suffix, as `object_name` makes it.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Artifacts:
    """One job's finished files on this machine, and what its record says of them.

    Arguments:
        name: what they are called in a store, without suffix: `object_name` of the job's id.
        job_id: the platform's id.
        input_digest: of the job's input: the same id with another input is another job.
        video: the MP4; its owner removes it, as the other files.
        result: what the reply says beside the links; JSON.
        poster: a JPEG.
        animation: an animated WebP.
        digest: the video's, where it is known already: a file that differs is not delivered.
        request_name: under which the record is written once more, for a job with a `request_id`.
    """

    name: str
    job_id: str
    input_digest: str
    video: Path
    result: Mapping[str, Any]
    poster: Path | None = None
    animation: Path | None = None
    digest: Digest | None = None
    request_name: str | None = None

    @property
    def pictures(self) -> dict[str, Path]:
        """The files beside the video: suffix -> file."""
        pictures = {POSTER: self.poster, ANIMATION: self.animation}
        return {suffix: path for suffix, path in pictures.items() if path is not None}


@dataclass(frozen=True)
class Delivery:
    """Where a job's files are, for the reply.

    Arguments:
        bytes: the video's size.
        sha256: the video's digest, hexadecimal.
        video: where it is; without URL and path when the video is in `base64`.
        poster: the JPEG's place, if there is one.
        animation: the animated WebP's, if there is one.
        base64: the video itself, for an inline reply.
        complete: False where the store failed after it had the video, and may take the record later.
    """

    bytes: int
    sha256: str
    video: Location
    poster: Location | None = None
    animation: Location | None = None
    base64: str | None = None
    complete: bool = True

    @property
    def expires_at(self) -> datetime | None:
        """When the URLs stop working (UTC), None if they do not."""
        return self.video.expires_at


@dataclass(frozen=True)
class EarlierResult:
    """A job that was done before: its `Artifacts.result`, and fresh links to its files."""

    result: Mapping[str, Any]
    delivery: Delivery


class Record(BaseModel):
    """The content of `NAME.json`.

    Attributes:
        files: name -> bytes; one is the MP4.
        sha256, crc32: the MP4's, see `Digest`; records of version 0.1 have no `crc32`.
        request_name: under which it lies once more, see `ltx2_api.record.request_name`.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    job_id: str
    input_digest: str
    files: dict[str, int]
    sha256: str
    crc32: tuple[str, ...] = ()
    request_name: str | None = None
    result: dict[str, Any]

    @classmethod
    def parse(cls, data: bytes) -> "Record | None":
        """Return what a record's bytes say, None where they are no record."""
        try:
            record = cls.model_validate_json(data)
        except ValidationError:
            return None
        # The names become keys and paths: a record that names anything else is not this worker's.
        ours = all(_NAME.fullmatch(Path(name).stem) and Path(name).name == name for name in record.files)
        if record.request_name is not None and not _NAME.fullmatch(record.request_name):
            return None
        return record if ours and sum(name.endswith(VIDEO) for name in record.files) == 1 else None

    @property
    def name(self) -> str:
        """What the job's files are called, without suffix."""
        return next(name for name in self.files if name.endswith(VIDEO)).removesuffix(VIDEO)

    @property
    def digest(self) -> Digest:
        """The MP4's."""
        return Digest(self.files[self.name + VIDEO], self.sha256, self.crc32)


def store_video(store: Store, artifacts: Artifacts, deadline: Deadline) -> Record:
    """Store the video alone; raises `StoreFault`, and `OSError` where the file cannot be read."""
    name = artifacts.name + VIDEO
    digest = store.put_file(name, artifacts.video, artifacts.job_id, deadline, expected=artifacts.digest)
    return Record(
        job_id=artifacts.job_id,
        input_digest=artifacts.input_digest,
        files={name: digest.bytes},
        sha256=digest.sha256,
        crc32=digest.crc32,
        request_name=artifacts.request_name,
        result=dict(artifacts.result),
    )


def store_pictures(store: Store, artifacts: Artifacts, record: Record, deadline: Deadline) -> Record:
    """Store what belongs to a stored video; return the record that names it too.

    A picture that cannot be read, or that the store refuses, is left out. Raises a transient `StoreFault`.
    """
    files = dict(record.files)
    for suffix, path in artifacts.pictures.items():
        name = artifacts.name + suffix
        try:
            files[name] = store.put_file(name, path, artifacts.job_id, deadline).bytes
        except StoreFault as fault:
            if fault.transient:
                raise
            log.warning("picture not delivered", extra={"file": name, "why": fault.reason})
        except OSError as error:
            log.warning("picture not delivered", extra={"file": name, "why": error.strerror})
    return record.model_copy(update={"files": files})


def store_record(store: Store, record: Record, deadline: Deadline) -> None:
    """Write the commit mark, under the request's name first where it has one; raises `StoreFault`."""
    data = record.model_dump_json(indent=1).encode()
    if record.request_name is not None:
        store.put_bytes(record.request_name + RECORD, data, deadline)
    store.put_bytes(record.name + RECORD, data, deadline)


def store_all(store: Store, artifacts: Artifacts, deadline: Deadline) -> Delivery:
    """Store the files and, when all are there, the record.

    With the video the job has what it was asked for: neither a picture nor the record costs it its success.

    Raises `StoreFault` or `OSError` (see `Store.put_file`) for the video, `Cancelled`, and `WorkerError` when
    the deadline passes before the video is stored.
    """
    record = store_video(store, artifacts, deadline)
    try:
        record = store_pictures(store, artifacts, record, deadline)
        store_record(store, record, deadline)
    except (StoreFault, WorkerError) as error:
        log.error("record not written", extra={"job_id": artifacts.job_id, "why": str(error)})
        refused = isinstance(error, StoreFault) and not error.transient
        return delivery_of(store, record, complete=refused)
    return delivery_of(store, record)


def find_record(
    store: Store, name: str, input_digest: str | None, deadline: Deadline
) -> EarlierResult | None:
    """Return the job that a record tells of, if its video is still there; raises `StoreFault`.

    Arguments:
        name: `object_name` of the job's id, or of another key under which its record was written.
        input_digest: what the job must have been asked with; None takes any.
    """
    data = store.read(name + RECORD, deadline)
    record = Record.parse(data) if data is not None else None
    if record is None or input_digest not in {None, record.input_digest}:
        return None
    if not store.holds(record.name + VIDEO, record.digest, deadline):
        return None
    return EarlierResult(record.result, delivery_of(store, record))


def delivery_of(store: Store, record: Record, *, complete: bool = True) -> Delivery:
    """Return where the files of a record are."""
    poster, animation = record.name + POSTER, record.name + ANIMATION
    return Delivery(
        bytes=record.digest.bytes,
        sha256=record.sha256,
        video=store.location(record.name + VIDEO),
        poster=store.location(poster) if poster in record.files else None,
        animation=store.location(animation) if animation in record.files else None,
        complete=complete,
    )

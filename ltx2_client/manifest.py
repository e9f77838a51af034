"""What a batch has submitted and made: one JSON file in its folder, written before and after every step."""

import os
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import Ltx2Error
from .part_file import sync_folder

NAME = "manifest.json"


class TakeState(StrEnum):
    """How far a take is."""

    SUBMITTING = "submitting"  # left so by a process that was killed: nobody knows whether it was taken
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class TakeRecord(BaseModel):
    """One take of a batch; `file` is a name in the batch's folder."""

    model_config = ConfigDict(extra="forbid")

    digest: str
    state: TakeState
    seed: int
    request_id: str
    start_sha256: str | None = None
    job_id: str | None = None
    file: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    credits: int = 0
    code: str | None = None
    error: str | None = None


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    endpoint: str
    takes: dict[str, TakeRecord] = Field(default_factory=dict)
    earlier: list[TakeRecord] = Field(default_factory=list)


class Manifest:
    """A batch's folder, held by one process at a time.

    Arguments:
        folder: made if it is not there.
        endpoint: the endpoint that the batch is made on: ids of another one mean nothing here.

    Raises:
        Ltx2Error: another process works on the folder, or its manifest is not one.
    """

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self._path = folder / NAME
        self._endpoint = endpoint
        self._lock = FileLock(str(folder / f".{NAME}.lock"), timeout=0)

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise Ltx2Error(f"Another process works on the batch in {self.folder}.") from None
        except OSError as error:
            raise Ltx2Error(f"{self.folder} cannot be used: {error.strerror or error}.") from error
        try:
            self._content = self._read()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._lock.release()

    def get(self, name: str) -> TakeRecord | None:
        """What is known of a take."""
        return self._content.takes.get(name)

    def put(self, name: str, record: TakeRecord) -> None:
        """Write down how far a take is; on the disk when this returns."""
        self._content.takes[name] = record
        self._write()

    def replace(self, name: str, record: TakeRecord) -> None:
        """Begin a take anew; what it was before is kept, file and all, as it was paid for."""
        old = self._content.takes.get(name)
        if old is not None and old.job_id is not None:
            if old.file is not None and old.sha256 is not None and (path := self.folder / old.file).exists():
                kept = path.with_name(f"{path.stem}.{old.sha256[:8]}{path.suffix}")
                path.replace(kept)
                old = old.model_copy(update={"file": kept.name})
            self._content.earlier.append(old)
        self.put(name, record)

    def _read(self) -> _Content:
        if not self._path.exists():
            return _Content(endpoint=self._endpoint)
        try:
            content = _Content.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError) as error:
            raise Ltx2Error(f"{self._path} is not a batch's manifest; move it away.") from error
        if content.endpoint != self._endpoint:
            raise Ltx2Error(
                f"The batch in {self.folder} was begun on endpoint {content.endpoint}; use another folder."
            )
        return content

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        try:
            with new.open("wb") as file:
                file.write(self._content.model_dump_json(indent=1, exclude_none=True).encode())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            sync_folder(self.folder)
        except OSError as error:
            raise Ltx2Error(f"{self._path} cannot be written: {error.strerror or error}.") from error

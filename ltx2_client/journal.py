"""The list of submitted jobs on disk: a job's id is there before `submit` returns.

One SQLite file, shared by all processes of a user. A row is written before the request goes out, so that a
process that dies in between leaves a row without an id instead of nothing.
"""

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from .errors import JournalUnwritable

#: Seconds that a process waits for another one's transaction.
_BUSY_SECONDS = 10.0
#: Text of a job's input longer than this is media: the journal keeps its digest.
_LONGEST_TEXT = 8_000
#: Jobs that ended longer ago are struck out when another is submitted, in seconds: half a year.
_KEPT_SECONDS = 180 * 86_400.0
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  reference TEXT PRIMARY KEY, endpoint TEXT NOT NULL, job_id TEXT, state TEXT NOT NULL,
  input TEXT NOT NULL, credits INTEGER NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL,
  target TEXT, result TEXT, error TEXT,
  UNIQUE (endpoint, job_id)
);
CREATE INDEX IF NOT EXISTS by_time ON jobs (created_at);
"""


class Entered(StrEnum):
    """What the journal knows of a job."""

    SUBMITTING = "submitting"  # the request may be on its way; of a process that is gone: unknown
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def open(self) -> bool:
        """Whether the job may still end."""
        return self in {Entered.SUBMITTING, Entered.UNKNOWN, Entered.SUBMITTED}


@dataclass(frozen=True)
class Entry:
    """One submitted job.

    Attributes:
        reference: the submit's own name, there before RunPod's id is.
        input: what was sent; media as a digest.
        credits: the job's price.
        created_at, changed_at: seconds since 1970.
        target: where the video is to go, if that was said.
        result: the reply, once there is one. Its URLs are a hint: they stop working.
        error: one sentence, if the job failed.
    """

    reference: str
    endpoint: str
    job_id: str | None
    state: Entered
    input: Mapping[str, Any]
    credits: int
    created_at: float
    changed_at: float
    target: str | None
    result: Mapping[str, Any] | None
    error: str | None


class Journal:
    """The jobs that this user has submitted. Safe to use from several threads and processes.

    Arguments:
        path: the SQLite file; made, for this user's eyes only, when it is first written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls) -> "Journal":
        """The journal in the user's state folder: `$XDG_STATE_HOME/ltx2/jobs.sqlite`."""
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return cls(Path(home) / "ltx2" / "jobs.sqlite")

    def begin(self, endpoint: str, sent: Mapping[str, Any], credits: int) -> str:  # noqa: A002
        """Write down that a job is about to be submitted; returns its reference."""
        reference, now = uuid.uuid4().hex, time.time()
        over = (Entered.DONE, Entered.FAILED, Entered.CANCELLED, Entered.EXPIRED, now - _KEPT_SECONDS)
        self._write("DELETE FROM jobs WHERE state IN (?, ?, ?, ?) AND changed_at < ?", over)
        row = (reference, endpoint, Entered.SUBMITTING, _kept(sent), credits, now, now)
        self._write(
            "INSERT INTO jobs (reference, endpoint, state, input, credits, created_at, changed_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        return reference

    def submitted(self, reference: str, job_id: str) -> None:
        """Write down a submitted job's id.

        A worker's endpoint may answer with an id that is there already (a job run again): it stays one row.
        """
        values = (job_id, Entered.SUBMITTED, time.time(), reference)
        try:
            self._write(
                "UPDATE jobs SET job_id = ?, state = ?, changed_at = ? WHERE reference = ?", values, job_id
            )
        except sqlite3.IntegrityError:
            self.never_sent(reference)

    def unknown(self, reference: str) -> None:
        """Write down that it is not known whether the job was submitted."""
        values = (Entered.UNKNOWN, time.time(), reference)
        self._write("UPDATE jobs SET state = ?, changed_at = ? WHERE reference = ?", values)

    def never_sent(self, reference: str) -> None:
        """Strike out a job that was certainly not submitted."""
        self._write("DELETE FROM jobs WHERE reference = ?", (reference,))

    def ended(
        self,
        endpoint: str,
        job_id: str,
        state: Entered,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Write down how a job ended, or (`SUBMITTED`) that it runs again; one not listed is left out."""
        self._write(
            "UPDATE jobs SET state = ?, result = coalesce(?, result), error = ?, changed_at = ? "
            "WHERE endpoint = ? AND job_id = ?",
            (state, None if result is None else json.dumps(result), error, time.time(), endpoint, job_id),
        )

    def aim(self, endpoint: str, job_id: str, target: Path) -> None:
        """Write down where a job's video is to go."""
        self._write(
            "UPDATE jobs SET target = ? WHERE endpoint = ? AND job_id = ?", (str(target), endpoint, job_id)
        )

    def find(self, endpoint: str, job_id: str) -> Entry | None:
        """The entry of a job, if it was submitted from here."""
        rows = self._read("SELECT * FROM jobs WHERE endpoint = ? AND job_id = ?", (endpoint, job_id))
        return rows[0] if rows else None

    def entry(self, reference: str) -> Entry | None:
        """The entry of a submit."""
        rows = self._read("SELECT * FROM jobs WHERE reference = ?", (reference,))
        return rows[0] if rows else None

    def entries(self, at_most: int = 100) -> list[Entry]:
        """The newest jobs, newest first."""
        return self._read("SELECT * FROM jobs ORDER BY created_at DESC LIMIT ?", (at_most,))

    def _write(self, statement: str, values: tuple[Any, ...], job_id: str | None = None) -> None:
        try:
            with self._open() as connection, connection:
                connection.execute(statement, values)
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            after = f" Note the job's id: {job_id}." if job_id else ""
            raise JournalUnwritable(
                f"The list of jobs, {self.path}, cannot be written: {_reason(error)}.{after}", job_id=job_id
            ) from error

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Entry]:
        if not self.path.exists():
            return []
        try:
            with self._open() as connection:
                return [_entry(row) for row in connection.execute(query, values)]
        except (sqlite3.Error, OSError) as error:
            raise JournalUnwritable(
                f"The list of jobs, {self.path}, cannot be read: {_reason(error)}."
            ) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction: processes may fork, and clients live in many threads."""
        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as connection:
            connection.row_factory = sqlite3.Row
            # WAL: readers never block. FULL: a commit is on the disk, not only in the machine's memory.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_FORMAT}; COMMIT;"
                )
            elif version != _FORMAT:
                raise OSError(f"it is of format {version}, this version writes {_FORMAT}")
            yield connection


def _kept(sent: Mapping[str, Any]) -> str:
    """A job's input as the journal keeps it: whole, but for media in it."""

    def short(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: short(inner) for key, inner in value.items()}
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            return f"sha256:{sha256(value.encode()).hexdigest()} ({len(value):,} characters)"
        return value

    return json.dumps(short(sent), ensure_ascii=False)


def _entry(row: sqlite3.Row) -> Entry:
    known = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates over its values
    result = known.pop("result")
    return Entry(
        **known
        | {
            "state": Entered(known["state"]),
            "input": json.loads(known["input"]),
            "result": None if result is None else json.loads(result),
        }
    )


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

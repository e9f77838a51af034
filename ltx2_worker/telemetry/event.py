"""What traces and metrics are made of: one event of the worker's log."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Seconds that the last figures may take when the worker ends.
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class LogEvent:
    """An event's name, its time in seconds since 1970, and its fields."""

    name: str
    at: float
    fields: Mapping[str, Any]

    @property
    def job_id(self) -> str | None:
        """The job that it is about."""
        job_id = self.fields.get("job_id")
        return None if job_id is None else str(job_id)


def trace_id(job_id: str) -> int:
    """The trace of a job: the first 16 bytes of the SHA-256 of its id."""
    return int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:16], "big")

"""What a worker answers, for scripted workers; made by the contract's own models."""

import hashlib
from typing import Any

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.reply import FailureResult, VideoResult


def video_output(job_id: str, content: bytes, url: str | None = None, **changes: Any) -> dict[str, Any]:
    """A finished job's output for a file of this content."""
    facts: dict[str, Any] = {
        "job_id": job_id,
        "width": 448,
        "height": 256,
        "fps": 24.0,
        "frames": 24,
        "duration": 1.0,
        "audio": True,
        "mode": "t2v",
        "quality": "fast",
        "preview": True,
        "seed": 7,
        "credits": 0,
        "timings": {"sampling": 1.0},
        "versions": {"worker": "0.1.0"},
        "url": url,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return VideoResult.model_validate(facts | changes).model_dump(mode="json", exclude_none=True)


def failed_output(job_id: str, code: ErrorCode, message: str = "It went wrong.") -> dict[str, Any]:
    """A failed job's output, as RunPod keeps it: without `error`, which stands beside it."""
    failure = FailureResult.of(WorkerError(code, message), job_id)
    return failure.model_dump(mode="json", exclude={"error"}, exclude_none=True)

"""Replies made of what the worker knows: a finished video's, and a dry run's."""

from collections.abc import Callable
from pathlib import Path

from ltx2_api.reply import DryRunResult, PlannedFile, VideoRecord, VideoResult

from .catalog.files import ModelFile
from .plan import Plan
from .storage.record import Delivery
from .storage.store import Link
from .workflow import needs


def finished(record: VideoRecord, delivery: Delivery) -> VideoResult:
    """A finished job, with links to its files as they are now."""
    poster, animation = delivery.poster or Link(), delivery.preview or Link()
    return VideoResult(
        **record.model_dump(),
        url=delivery.video.url,
        path=_text(delivery.video.path),
        video_base64=delivery.base64,
        url_expires_at=delivery.expires_at.isoformat() if delivery.expires_at else None,
        poster_url=poster.url,
        poster_path=_text(poster.path),
        animation_url=animation.url,
        animation_path=_text(animation.path),
        bytes=delivery.bytes,
        sha256=delivery.sha256,
    )


def dry_run(
    job_id: str,
    plan: Plan,
    *,
    installed: Callable[[ModelFile], bool],
    expected_seconds: float,
    deadline_seconds: float,
    warnings: tuple[str, ...],
) -> DryRunResult:
    """What would be done for a job, what it would cost, and how long it would take.

    Arguments:
        installed: tells whether a model file is here.
        expected_seconds: on a warm worker with a free engine.
        deadline_seconds: after which the job would be given up.
    """
    return DryRunResult(
        job_id=job_id,
        mode=plan.mode,
        quality=plan.quality,
        preview=plan.preview,
        width=plan.delivered.width,
        height=plan.delivered.height,
        canvas=str(plan.canvas),
        fps=plan.fps,
        frames=plan.frames,
        generated_frames=plan.generated_frames,
        duration=plan.seconds,
        steps=plan.steps,
        audio=plan.audio,
        seed=plan.seed,
        credits=plan.credits,
        files=tuple(
            PlannedFile(name=need.file.name, bytes=need.file.size, installed=installed(need.file))
            for need in needs(plan)
        ),
        expected_seconds=round(expected_seconds),
        deadline_seconds=round(deadline_seconds),
        warnings=warnings,
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

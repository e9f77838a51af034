"""The steps of one job before and after its generation: prepare its media and graph, say what was made.

Each takes what it needs and returns what it made; `worker.py` puts them in order.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.progress import Stage
from ltx2_api.record import object_name
from ltx2_api.reply import VideoRecord, VideoResult

from . import __version__
from .accepted_job import AcceptedJob
from .catalog.inputs import Value
from .deadline import Deadline
from .engine import Encoded, EncoderFiles
from .generation import encoder_address
from .joins import jumps, kept_frames, seams
from .media import video
from .media.content_credentials import ContentCredentials
from .media.prepare import Prepared
from .media.roles import Order, derived, sent_with, settled
from .plan import Plan
from .settings import Settings
from .storage.record import Artifacts, Delivery
from .storage.store import Location
from .workflow.build import BuiltGraph, Media, Output, build

log = logging.getLogger(__name__)

#: Files of one job that are fetched side by side.
_FETCHERS = 2


#: Returns a job with its prompt written out, and warnings.
Enhance = Callable[[AcceptedJob, Media], tuple[AcceptedJob, tuple[str, ...]]]


@dataclass(frozen=True)
class Product:
    """What is delivered of a job: the MP4, the pictures that were made, and the record."""

    video: Path
    poster: Path | None
    animation: Path | None
    record: VideoRecord


def prepare(
    accepted: AcceptedJob,
    inputs: Path,
    settings: Settings,
    *,
    resident: Sequence[Plan] = (),
    enhance: Enhance,
) -> tuple[AcceptedJob, BuiltGraph, tuple[str, ...]]:
    """Fetch and fit what the caller sent, and build the graph around it.

    Arguments:
        inputs: the job's own folder below the engine's input folder; its encoder is named after it.
        resident: the job by other recipes, whose loaders the graph names too.
        enhance: writes the prompt out, of a job that asks for it.

    Returns:
        The job, with what its media decided; the graph; and warnings about the media.
    """
    job, plan, deadline = accepted.job, accepted.plan, accepted.deadline
    files: dict[Value, list[Prepared]] = {}
    with _ended_together(deadline) as (pool, shared):
        # Each with a context of its own, in which log lines have the job's id.
        fetching = [
            pool.submit(
                copy_context().run,
                sent.role.prepare,
                Order(sent.source, sent.name, job, plan, inputs, shared, settings),
            )
            for sent in sent_with(job)
        ]
        for future in as_completed(fetching):
            future.result()
    for future in fetching:
        for value, prepared in future.result().items():
            files.setdefault(value, []).append(prepared)
    plan, warnings = settled(plan, files)
    files |= derived(plan, files, inputs, deadline, settings)
    accepted = replace(accepted, plan=plan)
    media = {value: tuple(_name(file, inputs) for file in prepared) for value, prepared in files.items()}
    if plan.enhances:
        accepted, said = enhance(accepted, media)
        warnings += said
    graph = build(
        accepted.plan,
        media,
        Output(settings.video_crf, encoder_address(inputs), buffer_bytes=settings.encode_buffer_bytes),
        resident=resident,
    )
    warnings += tuple(warning for each in files.values() for file in each for warning in file.warnings)
    return accepted, graph, warnings


def finish(
    accepted: AcceptedJob,
    files: EncoderFiles,
    encoded: Encoded,
    settings: Settings,
    *,
    warnings: tuple[str, ...],
    engine: str,
    credentials: ContentCredentials | None = None,
) -> Product:
    """Make sure that the file is what was planned, sign it if the operator wants that, and say what it is.

    Arguments:
        warnings: for the reply.
        engine: the engine's version.
        credentials: what signs it.
    """
    plan = accepted.plan
    accepted.enter(Stage.DELIVERING)
    if credentials is not None:
        warnings += credentials.sign(files.video, plan.checkpoint.name, accepted.deadline)
    facts = video.inspect(files.video)
    _check_exact(plan, facts)
    joins = seams(plan, encoded)
    record = VideoRecord(
        job_id=accepted.job_id,
        width=facts.width,
        height=facts.height,
        fps=float(facts.fps),
        frames=facts.frames,
        duration=facts.duration,
        audio=facts.audio,
        mode=plan.mode,
        model=plan.family.name,
        quality=plan.quality,
        preview=plan.preview,
        seed=plan.seed,
        credits=plan.credits,
        prompt=accepted.job.prompt if plan.enhances else None,
        prompt_used=plan.prompt if plan.enhances else None,
        changed=plan.splice.changed if plan.splice else None,
        kept=kept_frames(plan),
        seams=joins,
        loudness=encoded.loudness,
        true_peak=encoded.true_peak,
        warnings=(*warnings, *_seen(encoded), *jumps(joins)),
        timings={stage.value: round(seconds, 3) for stage, seconds in accepted.progress.finish().items()},
        versions=_versions(settings, engine, plan),
    )
    return Product(
        files.video,
        files.poster if encoded.poster else None,
        files.animation if encoded.animation else None,
        record,
    )


def artifacts(accepted: AcceptedJob, product: Product) -> Artifacts:
    """What is handed to the store."""
    return Artifacts(
        name=object_name(accepted.job_id),
        job_id=accepted.job_id,
        input_digest=accepted.input_digest,
        video=product.video,
        result=product.record.model_dump(mode="json"),
        poster=product.poster,
        animation=product.animation,
        request_name=accepted.request_name,
    )


def _versions(settings: Settings, engine: str, plan: Plan) -> dict[str, str]:
    revision = {"revision": settings.revision} if settings.revision else {}
    others = {role: plan.files[role].name for role in plan.family.also_named}
    models = {"checkpoint": plan.checkpoint.name} | others
    return {"worker": __version__, **revision, "engine": engine, **models}


def _seen(encoded: Encoded) -> tuple[str, ...]:
    """What was noticed while the frames passed that the caller should know."""
    frozen = "The video does not move: all its frames are one picture." if encoded.facts.frozen else None
    silent = "Nothing can be heard in the sound track." if encoded.silent else None
    return tuple(warning for warning in (frozen, silent) if warning)


def reply(record: VideoRecord, delivery: Delivery) -> VideoResult:
    """A finished job, with links to its files as they are now."""
    poster, animation = delivery.poster or Location(), delivery.animation or Location()
    return VideoResult(
        **record.model_dump(),
        url=delivery.video.url,
        path=_text(delivery.video.path),
        key=delivery.video.key,
        video_base64=delivery.base64,
        url_expires_at=delivery.expires_at.isoformat() if delivery.expires_at else None,
        poster_url=poster.url,
        poster_path=_text(poster.path),
        animation_url=animation.url,
        animation_path=_text(animation.path),
        bytes=delivery.bytes,
        sha256=delivery.sha256,
    )


@contextmanager
def _ended_together(deadline: Deadline) -> Iterator[tuple[ThreadPoolExecutor, Deadline]]:
    """Threads for work side by side, and their deadline: when one fails, or the job ends, all end at once."""
    shared = Deadline(deadline.remaining())
    deadline.on_cancel(shared.cancel)
    with ThreadPoolExecutor(_FETCHERS) as pool:
        try:
            yield pool, shared
        except BaseException:
            shared.cancel()
            deadline.check()  # the job's own end, if that is what it was
            raise


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _name(prepared: Prepared, inputs: Path) -> str:
    """A prepared file as the engine knows it: below its input folder."""
    return f"{inputs.name}/{prepared.path.name}"


def _check_exact(plan: Plan, facts: video.VideoFacts) -> None:
    """What is delivered is exactly what was planned; anything else is this worker's own fault."""
    planned = (plan.delivered.width, plan.delivered.height, plan.frames, Fraction(plan.fps), plan.audio)
    made = (facts.width, facts.height, facts.frames, facts.fps, facts.audio)
    if made != planned:
        log.error("wrong video", extra={"planned": planned, "made": made})
        raise WorkerError(
            ErrorCode.GENERATION_FAILED, "The engine made a video of the wrong shape; it was not delivered."
        )

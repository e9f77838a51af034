"""The steps of one job: prepare its media and graph, generate, finish the files that are delivered.

Each takes what it needs and returns what it made; `worker.py` puts them in order.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput
from ltx2_api.progress import Stage
from ltx2_api.reply import VideoRecord, VideoResult

from . import __version__
from .assignment import Assignment
from .deadline import Deadline
from .engine import Engine, Event, NodeProgress, NodeStarted, Preview, Started
from .media import stills, video
from .media.fetch import Source
from .media.fit import Frame
from .media.prepare import Prepared, prepare_control, prepare_image, still_as_control
from .plan import Plan
from .settings import Settings
from .storage.record import Delivery
from .storage.store import Link
from .workflow.build import BuiltGraph, Media, build

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Product:
    """What is delivered of a job: the MP4, the pictures that are wanted, and the record."""

    video: Path
    poster: Path | None
    animation: Path | None
    record: VideoRecord


def prepare(
    assignment: Assignment, inputs: Path, settings: Settings, *, resident: Sequence[Plan] = ()
) -> tuple[BuiltGraph, tuple[str, ...]]:
    """Fetch and fit what the caller sent, and build the graph around it.

    Arguments:
        inputs: the job's own folder below the engine's input folder; the output prefix has its name too.
        resident: the job by other recipes, whose loaders the graph names too.

    Returns:
        The graph, and warnings about the media.
    """
    job, plan, deadline = assignment.job, assignment.plan, assignment.deadline
    frame = Frame(plan.delivered.width, plan.delivered.height, plan.canvas.width, plan.canvas.height)
    image_source, control_source = _image_source(job), _control_source(job)
    with _ended_together(deadline) as (pool, shared):
        # Each with a context of its own, in which log lines have the job's id.
        fetching_image = image_source and pool.submit(
            copy_context().run, prepare_image, image_source, frame, inputs, shared, settings
        )
        fetching_control = control_source and pool.submit(
            copy_context().run,
            prepare_control,
            control_source,
            frame,
            inputs,
            shared,
            settings,
            fps=plan.base_fps,
            frames=plan.base_frames,
        )
        fetching = [future for future in (fetching_image, fetching_control) if future]
        for future in as_completed(fetching):
            future.result()
    image = fetching_image.result() if fetching_image else None
    control = fetching_control.result() if fetching_control else None
    if job.control is not None and control is None and image is not None:
        control = still_as_control(image.path, inputs, deadline, settings, fps=plan.base_fps)
    graph = build(
        plan,
        Media(_name(image, inputs), _name(control, inputs)),
        f"{inputs.name}/video",
        crf=settings.video_crf,
        resident=resident,
    )
    return graph, tuple(warning for media in (image, control) if media for warning in media.warnings)


def generate(assignment: Assignment, graph: BuiltGraph, engine: Engine, *, previews: bool) -> Path:
    """Run the graph and return the MP4 that the engine wrote."""

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            assignment.enter(Stage.LOADING)
        elif isinstance(event, Preview):
            assignment.meter.show(event.jpeg)
        elif isinstance(event, NodeStarted | NodeProgress):
            stage = graph.stage_of.get(event.node_id)
            if stage is not None and isinstance(event, NodeStarted):
                assignment.enter(stage)
            elif stage is not None and isinstance(event, NodeProgress):
                assignment.meter.step(stage, int(event.value), int(event.maximum))

    assignment.enter(Stage.WAITING)
    files = engine.run(
        graph.prompt,
        turn=assignment.turn,
        job_key=assignment.job_id,
        deadline=assignment.deadline,
        on_event=listen,
        previews=previews,
    )
    return files[0]


def finish(
    assignment: Assignment,
    made: Path,
    outputs: Path,
    settings: Settings,
    *,
    warnings: tuple[str, ...],
    engine: str,
) -> Product:
    """Make what is delivered out of what the engine wrote, and make sure that it is what was planned.

    Arguments:
        made: the engine's MP4.
        outputs: the job's own folder.
        warnings: for the reply.
        engine: the engine's version.
    """
    plan, deadline = assignment.plan, assignment.deadline
    assignment.enter(Stage.DELIVERING)
    finished, poster, animation = (
        outputs / name for name in ("finished.mp4", "poster.jpg", "animation.webp")
    )
    provenance = {"job_id": assignment.job_id, "seed": str(plan.seed), "model": plan.checkpoint.name}
    video.finish(made, finished, provenance if settings.provenance else {}, deadline)
    facts = video.inspect(finished)
    _check_exact(plan, facts)
    with_poster = settings.poster and _made(stills.poster, finished, poster, deadline)
    with_animation = settings.animated_preview and _made(stills.animation, finished, animation, deadline)
    record = VideoRecord(
        job_id=assignment.job_id,
        width=facts.width,
        height=facts.height,
        fps=float(facts.fps),
        frames=facts.frames,
        duration=facts.duration,
        audio=facts.audio,
        mode=plan.mode,
        quality=plan.quality,
        preview=plan.preview,
        seed=plan.seed,
        credits=plan.credits,
        warnings=warnings,
        timings={stage.value: round(seconds, 3) for stage, seconds in assignment.meter.finish().items()},
        versions={
            "worker": __version__,
            "engine": engine,
            "checkpoint": plan.checkpoint.name,
            "text_encoder": plan.files["text_encoder"].name,
        },
    )
    return Product(
        finished,
        poster if with_poster else None,
        animation if with_animation else None,
        record,
    )


def reply(record: VideoRecord, delivery: Delivery) -> VideoResult:
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


@contextmanager
def _ended_together(deadline: Deadline) -> Iterator[tuple[ThreadPoolExecutor, Deadline]]:
    """Threads for work side by side, and their deadline: when one fails, or the job ends, all end at once."""
    shared = Deadline(deadline.remaining())
    deadline.on_cancel(shared.cancel)
    with ThreadPoolExecutor(2) as pool:
        try:
            yield pool, shared
        except BaseException:
            shared.cancel()
            deadline.check()  # the job's own end, if that is what it was
            raise


def _made(
    picture: Callable[[Path, Path, Deadline], None], finished: Path, target: Path, deadline: Deadline
) -> bool:
    """Make a picture of the finished video; it is worth having, but not worth losing the video for."""
    try:
        picture(finished, target, deadline)
    except (WorkerError, OSError):
        log.warning("picture not made", exc_info=True, extra={"picture": target.name})
        return False
    return True


def _image_source(job: JobInput) -> Source | None:
    if not job.has_image:
        return None
    field = "image_url" if job.image_url is not None else "image_base64"
    return Source(field, job.image_url, job.image_base64)


def _control_source(job: JobInput) -> Source | None:
    control = job.control
    if control is None or not control.has_video:
        return None
    field = "control.video_url" if control.video_url is not None else "control.video_base64"
    return Source(field, control.video_url, control.video_base64)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _name(prepared: Prepared | None, inputs: Path) -> str | None:
    """A prepared file as the engine knows it: below its input folder."""
    return f"{inputs.name}/{prepared.path.name}" if prepared else None


def _check_exact(plan: Plan, facts: video.VideoFacts) -> None:
    """What is delivered is exactly what was planned; anything else is this worker's own fault."""
    planned = (plan.delivered.width, plan.delivered.height, plan.frames, Fraction(plan.fps), plan.audio)
    made = (facts.width, facts.height, facts.frames, facts.fps, facts.audio)
    if made != planned:
        log.error("wrong video", extra={"planned": planned, "made": made})
        raise WorkerError(
            ErrorCode.GENERATION_FAILED, "The engine made a video of the wrong shape; it was not delivered."
        )

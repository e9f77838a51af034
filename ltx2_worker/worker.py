"""One job from input to result: the only file that knows the order of the steps."""

import logging
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Any

from . import __version__, preflight, replies
from .engine import Engine, EngineOptions, Event, NodeProgress, NodeStarted, Started, Turn
from .errors import ErrorCode, WorkerError
from .estimate import deadline_seconds, stage_seconds
from .geometry import BASE_FPS
from .job import JobInput
from .limits import Limits
from .media import stills, video
from .media.fetch import Source
from .media.fit import Frame
from .media.inputs import prepare_control, prepare_image, still_as_control
from .media.publish import Publisher
from .models import ModelLibrary, link_cached, manifest
from .plan import Plan, make_plan, require_installed
from .progress import Meter, Stage, StagePace
from .result import DryRunResult, VideoRecord, VideoResult
from .settings import Settings
from .workflow.build import BuiltGraph, Media, build

log = logging.getLogger(__name__)

#: A deadline ends this many seconds before the endpoint's execution timeout, which would end the worker.
DEADLINE_MARGIN = 30.0


@dataclass(frozen=True)
class Assignment:
    """A job that was accepted: checked, planned, and in its place in the engine's order."""

    job_id: str
    job: JobInput
    plan: Plan
    warnings: tuple[str, ...]
    input_digest: str
    s3_config: Any
    computed: dict[Stage, float]
    limits: Limits
    meter: Meter
    turn: Turn


class Worker:
    """Turns jobs into videos; `accept` is quick, `run` blocks and is called on a thread per job.

    Arguments:
        settings: the operator's.

    Raises:
        WorkerError: STORAGE_UNAVAILABLE if the bucket's settings contradict each other.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cached_models = settings.work_dir / "cached-models"
        self._library = ModelLibrary((*settings.models_dirs, self._cached_models))
        self._engine = Engine(replace(EngineOptions.from_settings(settings), models_dirs=self._library.dirs))
        self._publisher = Publisher(settings)
        self._pace = StagePace()
        self._in_hand: set[Limits] = set()
        self._lock = threading.Lock()
        self._unfit: str | None = None

    def start(self) -> None:
        """Start the engine and the checks of it in the background; leftovers of an earlier run go out.

        Raises:
            WorkerError: STORAGE_UNAVAILABLE, there is nowhere to put a video.
        """
        self._publisher.check()
        self._settings.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        link_cached(manifest().values(), self._cached_models)
        self._engine.start()
        threading.Thread(target=self._check_engine, daemon=True, name="preflight").start()
        threading.Thread(target=self._publisher.deliver_leftovers, daemon=True, name="leftovers").start()

    def stop(self) -> None:
        """Stop the engine; jobs still in hand end with SHUTTING_DOWN."""
        self._engine.stop()

    def wait_until_given_up(self) -> str:
        """Return, when it comes to that, why no job can be done here any more."""
        while self._unfit is None:
            if self._engine.gave_up.wait(1.0):
                return "the engine crashed too often in a row"
        return self._unfit

    def _check_engine(self) -> None:
        self._unfit = preflight.why_unfit(self._engine, self._library)

    def accept(self, job_id: str, raw: object, s3_config: object | None = None) -> Assignment:
        """Check and plan a job, and take its turn at the engine; `run` must follow.

        Arguments:
            job_id: the platform's.
            raw: the job's `input`, as received.
            s3_config: the job's own bucket, by RunPod's convention.

        Raises:
            WorkerError: INVALID_INPUT, OVER_BUDGET, MODEL_NOT_INSTALLED, ENGINE_UNAVAILABLE.
        """
        job, warnings = JobInput.parse(raw)
        plan = make_plan(job, installed=self._library.has, default_camera=self._settings.default_camera)
        if not job.dry_run:
            require_installed(plan, self._library.has)
            if self._unfit is not None:
                raise unfit()
        computed = stage_seconds(plan)
        limits = Limits(self._deadline(plan))
        log.info(
            "job accepted",
            extra={
                "job_id": job_id,
                "mode": plan.mode,
                "quality": plan.quality,
                "size": str(plan.delivered),
                "seconds": plan.seconds,
                "credits": plan.credits,
                "deadline": round(limits.seconds),
            }
            | ({"prompt": plan.prompt} if self._settings.log_prompts else {}),
        )
        with self._lock:
            self._in_hand.add(limits)
        return Assignment(
            job_id=job_id,
            job=job,
            plan=plan,
            warnings=warnings,
            input_digest=sha256(dumps(raw, sort_keys=True, default=str).encode()).hexdigest(),
            s3_config=s3_config,
            computed=computed,
            limits=limits,
            meter=Meter(self._pace.expected(computed)),
            turn=self._engine.take_turn(),
        )

    def run(self, assignment: Assignment) -> VideoResult | DryRunResult:
        """Do an accepted job, from its media to its delivered video.

        Raises:
            WorkerError: any code.
            Cancelled: the platform cancelled the job; nothing of it is left.
        """
        try:
            if assignment.job.dry_run:
                return replies.dry_run(
                    assignment.job_id,
                    assignment.plan,
                    installed=self._library.has,
                    expected_seconds=sum(assignment.meter.expected.values()),
                    deadline_seconds=assignment.limits.seconds,
                    warnings=assignment.warnings,
                )
            return self._known(assignment) or self._make(assignment)
        finally:
            assignment.turn.release()
            with self._lock:
                self._in_hand.discard(assignment.limits)

    def _known(self, assignment: Assignment) -> VideoResult | None:
        """What an earlier run of this very job delivered: nothing is generated, or charged, twice."""
        found = self._publisher.find(
            assignment.job_id, assignment.input_digest, assignment.limits, assignment.s3_config
        )
        if found is None:
            return None
        log.info("job answered from its record")
        return replies.finished(VideoRecord.model_validate(found.result), found.delivery)

    def _make(self, assignment: Assignment) -> VideoResult:
        self._publisher.accept(assignment.s3_config, assignment.limits)
        with self._folders() as (inputs, outputs):
            graph, warnings = self._prepare(assignment, inputs)
            made = self._generate(assignment, graph)
            return self._deliver(assignment, made, outputs, (*assignment.warnings, *warnings))

    @contextmanager
    def _folders(self) -> Iterator[tuple[Path, Path]]:
        """A job's own folders below the engine's input and output folders, removed in the end."""
        name = uuid.uuid4().hex
        folders = (self._engine.input_dir / name, self._engine.output_dir / name)
        try:
            for folder in folders:
                folder.mkdir(parents=True)
            yield folders
        finally:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

    def _prepare(self, assignment: Assignment, inputs: Path) -> tuple[BuiltGraph, tuple[str, ...]]:
        """Fetch and fit what the caller sent, and build the graph around it."""
        job, plan, limits = assignment.job, assignment.plan, assignment.limits
        frame = Frame(plan.delivered.width, plan.delivered.height, plan.canvas.width, plan.canvas.height)
        warnings: tuple[str, ...] = ()
        image = control = None
        if job.has_image:
            field = "image_url" if job.image_url is not None else "image_base64"
            source = Source(field, job.image_url, job.image_base64)
            image = prepare_image(source, frame, inputs, limits, self._settings)
            warnings += image.warnings
        if job.control is not None and job.control.has_video:
            field = "control.video_url" if job.control.video_url is not None else "control.video_base64"
            source = Source(field, job.control.video_url, job.control.video_base64)
            control = prepare_control(
                source, frame, inputs, limits, self._settings, fps=BASE_FPS, frames=plan.base_frames
            )
            warnings += control.warnings
        elif job.control is not None and image is not None:
            control = still_as_control(image.path, inputs, limits, self._settings, fps=BASE_FPS)
        media = Media(
            image=f"{inputs.name}/{image.path.name}" if image else None,
            control=f"{inputs.name}/{control.path.name}" if control else None,
        )
        graph = build(
            plan,
            media,
            f"{inputs.name}/video",
            crf=self._settings.video_crf,
            resident=self._settings.keep_models_loaded,
        )
        return graph, warnings

    def _generate(self, assignment: Assignment, graph: BuiltGraph) -> Path:
        """Run the graph; return the MP4 that the engine wrote."""

        def listen(event: Event) -> None:
            if isinstance(event, Started):
                self._enter(assignment, Stage.LOADING)
            elif isinstance(event, NodeStarted) and (stage := graph.stage_of.get(event.node_id)):
                self._enter(assignment, stage)
            elif isinstance(event, NodeProgress) and (stage := graph.stage_of.get(event.node_id)):
                assignment.meter.step(stage, int(event.value), int(event.maximum))

        self._enter(assignment, Stage.WAITING)
        files = self._engine.run(
            graph.prompt,
            turn=assignment.turn,
            job_key=assignment.job_id,
            limits=assignment.limits,
            on_event=listen,
        )
        return files[0]

    def _deliver(
        self, assignment: Assignment, made: Path, outputs: Path, warnings: tuple[str, ...]
    ) -> VideoResult:
        plan, meter = assignment.plan, assignment.meter
        self._enter(assignment, Stage.DELIVERING)
        finished, poster = outputs / "finished.mp4", outputs / "poster.jpg"
        video.finish(made, finished, self._provenance(assignment), assignment.limits)
        facts = video.inspect(finished)
        _check_exact(plan, facts)
        if self._settings.poster:
            stills.poster(finished, poster, assignment.limits)
        timings = meter.finish()
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
            timings={stage.value: round(seconds, 3) for stage, seconds in timings.items()},
            versions=self._versions(plan),
        )
        delivery = self._publisher.deliver(
            assignment.job_id,
            assignment.input_digest,
            finished,
            record.model_dump(mode="json"),
            assignment.limits,
            poster=poster if self._settings.poster else None,
            s3_config=assignment.s3_config,
        )
        self._pace.learn(assignment.computed, timings)
        log.info("job done", extra={"bytes": delivery.bytes, "timings": record.timings})
        return replies.finished(record, delivery)

    def _provenance(self, assignment: Assignment) -> dict[str, str]:
        if not self._settings.provenance:
            return {}
        plan = assignment.plan
        return {"job_id": assignment.job_id, "seed": str(plan.seed), "model": plan.checkpoint.name}

    def _versions(self, plan: Plan) -> dict[str, str]:
        return {"worker": __version__, "engine": self._engine.version, "checkpoint": plan.checkpoint.name}

    def _enter(self, assignment: Assignment, stage: Stage) -> None:
        if assignment.meter.enter(stage):
            log.info("job stage", extra={"job_id": assignment.job_id, "stage": stage})

    def _deadline(self, plan: Plan) -> float:
        """Seconds for a job: its own time, after what the jobs ahead of it may still take."""
        if self._settings.job_timeout is not None:
            return self._settings.job_timeout
        with self._lock:
            ahead = max((limits.remaining() for limits in self._in_hand), default=0.0)
        most = max(self._settings.execution_timeout - DEADLINE_MARGIN, DEADLINE_MARGIN)
        return min(most, ahead + deadline_seconds(plan))


def _check_exact(plan: Plan, facts: video.VideoFacts) -> None:
    """What is delivered is exactly what was planned; anything else is this worker's own fault."""
    planned = (plan.delivered.width, plan.delivered.height, plan.frames, Fraction(plan.fps), plan.audio)
    made = (facts.width, facts.height, facts.frames, facts.fps, facts.audio)
    if made != planned:
        log.error("the video is not what was planned", extra={"planned": planned, "made": made})
        raise WorkerError(
            ErrorCode.GENERATION_FAILED, "The engine made a video of the wrong shape; it was not delivered."
        )


def unfit() -> WorkerError:
    """The error of every job that reaches a worker that cannot do any."""
    return WorkerError(
        ErrorCode.ENGINE_UNAVAILABLE, "This worker cannot generate videos; its operator must look at its log."
    )

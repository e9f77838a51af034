"""A job's generation: its graph on the engine, its frames in an encoder of its own, at the same time."""

import logging
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.progress import Stage

from .accepted_job import AcceptedJob
from .engine import (
    Encoded,
    Encoder,
    EncoderFiles,
    EncoderLost,
    Engine,
    Event,
    KeptPieces,
    NodeProgress,
    NodeStarted,
    Preview,
    Restarted,
    Started,
    Ticket,
)
from .media.pieces import Pieces
from .plan import Plan
from .settings import Settings
from .workflow.build import BuiltGraph

log = logging.getLogger(__name__)

#: Encoders that may be lost for one job; a second time it is the job's fault, or the machine's.
_ENCODERS = 2


def encoder_address(folder: Path) -> str:
    """Where a job's encoder listens: named after the job's folders, whose name nobody can guess."""
    return f"ltx2-encoder-{folder.name}"


def generate(
    accepted: AcceptedJob, graph: BuiltGraph, engine: Engine, outputs: Path, settings: Settings
) -> tuple[EncoderFiles, Encoded]:
    """Run the graph, and encode its frames as they come; once more if the encoder is lost.

    Arguments:
        outputs: the job's own folder, of the same name as its inputs'.
    """
    files = _files(accepted, engine.input_dir / outputs.name, outputs, settings)
    ticket = accepted.ticket
    with ExitStack() as tickets:
        for lost in range(_ENCODERS):
            if lost:
                # The engine still has what it sampled, unless another job came in between.
                accepted.progress.run_again()
                ticket = engine.take_ticket()
                tickets.callback(ticket.release)
            with Encoder(engine.options, encoder_address(outputs), files) as encoder:
                try:
                    _run(accepted, graph, engine, ticket, encoder, previews=settings.live_previews)
                    accepted.enter(Stage.ENCODING)
                    tell = partial(accepted.progress.step, Stage.ENCODING, steps=accepted.plan.frames)
                    return files, encoder.wait(accepted.deadline, tell)
                except EncoderLost:
                    log.warning("encoder lost", exc_info=True)
    raise WorkerError(
        ErrorCode.GENERATION_FAILED, "The video could not be encoded; send the job again.", retryable=True
    )


def _run(
    accepted: AcceptedJob,
    graph: BuiltGraph,
    engine: Engine,
    ticket: Ticket,
    encoder: Encoder,
    *,
    previews: bool,
) -> None:
    """Run the graph until the encoder has all frames."""

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            accepted.enter(Stage.LOADING)
        elif isinstance(event, Restarted):
            accepted.progress.run_again()
        elif isinstance(event, Preview):
            accepted.progress.show(event.jpeg)
        elif isinstance(event, NodeStarted | NodeProgress):
            stage = graph.stage_of.get(event.node_id)
            if stage is not None and isinstance(event, NodeStarted):
                accepted.enter(stage)
            elif stage is not None and isinstance(event, NodeProgress):
                accepted.progress.step(stage, int(event.value), int(event.maximum))

    accepted.enter(Stage.WAITING)
    try:
        engine.run(
            graph.prompt,
            ticket=ticket,
            job_key=accepted.job_id,
            deadline=accepted.deadline,
            on_event=listen,
            previews=previews,
            is_made=encoder.has_all_frames,
        )
    except EncoderLost:
        # The file is complete if it got all frames of an earlier try.
        if not encoder.has_all_frames():
            raise


def _files(accepted: AcceptedJob, inputs: Path, outputs: Path, settings: Settings) -> EncoderFiles:
    """What is to be made of a job's frames."""
    plan = accepted.plan
    provenance = {"job_id": accepted.job_id, "seed": str(plan.seed), "model": plan.checkpoint.name}
    return EncoderFiles(
        outputs / "video.mp4",
        outputs / "poster.jpg" if settings.poster else None,
        outputs / "animation.webp" if settings.animated_preview else None,
        provenance if settings.provenance else {},
        _kept(plan, inputs),
    )


def _kept(plan: Plan, inputs: Path) -> KeptPieces | None:
    """What stays of a source, as `media.sources.prepare_spliced` left it."""
    splice = plan.splice
    if splice is None:
        return None
    pieces = Pieces(inputs)
    heard = plan.held_sound.is_heard if plan.held_sound else False
    return KeptPieces(
        before=tuple(filter(Path.exists, pieces.before)),
        after=tuple(filter(Path.exists, pieces.after)),
        edge_before=_if_there(pieces.edge_before),
        edge_after=_if_there(pieces.edge_after),
        sound=_if_there(pieces.sound),
        frames=splice.frames,
        skipped=0 if splice.keeps_picture else splice.skipped,
        drops=splice.keeps_picture,
        sound_skipped=splice.skipped,
        sound_before=splice.before,
        sound_replaced=splice.replaced,
        # The source's own sound comes as a whole.
        sound_new=0 if heard else splice.new,
        sound_after=splice.after,
    )


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None

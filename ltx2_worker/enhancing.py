"""A job's prompt written out by the text encoder's language model, before its video is made."""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.progress import Stage

from .accepted_job import AcceptedJob
from .catalog.files import ModelLibrary
from .engine import Engine, Event, NodeProgress, Started
from .plan import Plan
from .plan.prompt import readable
from .plan.ways.enhance import usable
from .workflow.build import Media, build_prompt_writing

log = logging.getLogger(__name__)

#: Bytes that are read of what it wrote: 512 tokens are a tenth of it.
_MOST_BYTES = 32_768
_FELL_BACK = "The language model wrote nothing that could be used; the prompt is yours as it was."


def enhancer(
    engine: Engine, library: ModelLibrary, folder: Path, resident: Sequence[Plan], tickets: ExitStack
) -> Callable[[AcceptedJob, Media], tuple[AcceptedJob, tuple[str, ...]]]:
    """What writes a job's prompt out, as much as the model reads; or leaves it as it is, with a warning.

    It raises `WorkerError` if the engine fails otherwise than at this graph, and `Cancelled`.

    Arguments:
        library: has the tokenizer that counts.
        folder: the job's own below the engine's output folder.
        resident: the job by other recipes, whose loaders the graph names too.
        tickets: releases the ticket of the job's video in the end.
    """

    def enhance(accepted: AcceptedJob, media: Media) -> tuple[AcceptedJob, tuple[str, ...]]:
        # This graph uses up the job's own place. Its video has the one right behind, before jobs that come
        # meanwhile.
        following = engine.take_ticket()
        tickets.callback(following.release)
        text = _written(accepted, media, engine, folder, resident)
        job = replace(accepted, ticket=following)
        if text is None:
            log.warning("prompt not enhanced", extra={"job_id": accepted.job_id})
            return job, (_FELL_BACK,)
        plan, cut = readable(replace(job.plan, prompt=text), library.find)
        return replace(job, plan=plan), cut

    return enhance


def _written(
    accepted: AcceptedJob, media: Media, engine: Engine, folder: Path, resident: Sequence[Plan]
) -> str | None:
    graph = build_prompt_writing(accepted.plan, media, f"{folder.name}/prompt", resident=resident)

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            accepted.enter(Stage.LOADING)
        elif isinstance(event, NodeProgress) and event.node_id in graph.stage_of:
            # From the first word on: before it, the node loads the model.
            accepted.enter(Stage.PROMPT)
            accepted.progress.step(Stage.PROMPT, int(event.value), int(event.maximum))

    accepted.enter(Stage.WAITING)
    try:
        paths = engine.run(
            graph.prompt,
            ticket=accepted.ticket,
            job_key=f"{accepted.job_id}/prompt",
            deadline=accepted.deadline,
            on_event=listen,
        )
    except WorkerError as error:
        if error.code is not ErrorCode.GENERATION_FAILED:
            raise
        log.warning("prompt not written", extra={"job_id": accepted.job_id, "error": error.message})
        return None
    with paths[0].open("rb") as file:
        return usable(file.read(_MOST_BYTES).decode("utf-8", "replace"))

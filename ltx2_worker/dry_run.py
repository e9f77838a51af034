"""What a dry run answers: what would be done for a job, what it would cost, and how long it would take."""

from collections.abc import Callable, Mapping

from ltx2_api.reply import DryRunResult, PlannedFile

from .catalog.files import ModelFile
from .catalog.own_loras import OwnLora
from .plan import Plan
from .plan.estimate import deadline_seconds
from .workflow import needs


def dry_run(
    job_id: str,
    plan: Plan,
    *,
    installed: Callable[[ModelFile], bool],
    expected_seconds: float,
    warnings: tuple[str, ...],
    offers: tuple[str, ...],
    own_loras: Mapping[str, OwnLora],
) -> DryRunResult:
    """Put a plan into the form that leaves the worker.

    Arguments:
        installed: tells whether a model file is here.
        expected_seconds: on a warm worker with a free engine.
        warnings: for the caller.
        offers: what the endpoint offers, by name.
        own_loras: the operator's, by name.
    """
    return DryRunResult(
        job_id=job_id,
        offers=offers,
        mode=plan.mode,
        model=plan.family.name,
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
        files=(
            *(
                PlannedFile(name=need.file.name, bytes=need.file.size, installed=installed(need.file))
                for need in needs(plan)
            ),
            *(PlannedFile(name=own.lora.file, bytes=own.lora.bytes, installed=True) for own in plan.loras),
        ),
        loras={lora.name: lora.description for lora in own_loras.values() if lora.family == plan.family.name},
        expected_seconds=round(expected_seconds),
        deadline_seconds=round(deadline_seconds(plan)),
        warnings=warnings,
    )

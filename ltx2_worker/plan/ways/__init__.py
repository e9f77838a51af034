"""The ways beyond the plain job, as plans: a file each, as in ltx2_api/ways/."""

from collections.abc import Callable, Mapping

from ltx2_api.job import JobInput

from ...catalog.own_loras import OwnLora
from ..plan import Plan
from . import audio_input, enhance, keyframes, loras, restyle, spliced

#: Each changes the plan of a job that asks for it, and leaves every other as it is.
_PLANNERS: tuple[Callable[[JobInput, Plan], Plan], ...] = (
    keyframes.planned,
    audio_input.planned,
    restyle.planned,
    spliced.planned,
    enhance.planned,
)


def with_ways(job: JobInput, plan: Plan, own: Mapping[str, OwnLora]) -> Plan:
    """Return the plan of a job with what it asks for beyond the plain job.

    Arguments:
        own: the operator's LoRAs by name.

    Raises:
        WorkerError: INVALID_INPUT, the recipe has no such way; MODEL_NOT_INSTALLED, there is no such LoRA.
    """
    for planned in _PLANNERS:
        plan = planned(job, plan)
    return loras.planned(job, plan, own)

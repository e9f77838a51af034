"""The ways beyond the plain job, as plans: a file each, as in ltx2_api/ways/."""

from collections.abc import Callable

from ltx2_api.job import JobInput

from ..plan import Plan
from . import keyframes

#: Each changes the plan of a job that asks for it, and leaves every other as it is.
_PLANNERS: tuple[Callable[[JobInput, Plan], Plan], ...] = (keyframes.planned,)


def with_ways(job: JobInput, plan: Plan) -> Plan:
    """Return the plan of a job with what it asks for beyond the plain job.

    Raises:
        WorkerError: INVALID_INPUT, the recipe has no such way.
    """
    for planned in _PLANNERS:
        plan = planned(job, plan)
    return plan

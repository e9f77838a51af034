"""The operator's own LoRAs: in a row behind the camera's, before a control's and the distilled one."""

from collections.abc import Mapping
from dataclasses import replace

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput

from ...catalog.inputs import Feature
from ...catalog.own_loras import OwnLora
from ..parts import LoraPlan
from ..plan import Plan
from ..refusals import no_such_field, refused


def planned(job: JobInput, plan: Plan, own: Mapping[str, OwnLora]) -> Plan:
    """Add the LoRAs that a job names.

    Arguments:
        own: those that the operator has, by name.
    """
    if job.loras is None:
        return plan
    if not plan.recipe.offers(Feature.LORAS):
        raise no_such_field("loras", plan.recipe)
    loras = []
    for number, wanted in enumerate(job.loras):
        lora = own.get(wanted.name)
        if lora is None:
            raise _unknown(f"loras.{number}.name", own, plan)
        if lora.family != plan.family.name:
            raise refused(
                f"loras.{number}.name",
                f"The LoRA {lora.name} was made for {lora.family}: ask for that model.",
            )
        strength = lora.strength if wanted.strength is None else wanted.strength
        loras.append(LoraPlan(lora, strength))
    return replace(plan, loras=tuple(loras))


def _unknown(field: str, own: Mapping[str, OwnLora], plan: Plan) -> WorkerError:
    names = [lora.name for lora in own.values() if lora.family == plan.family.name]
    if not names:
        return WorkerError(
            ErrorCode.MODEL_NOT_INSTALLED,
            "This endpoint has no LoRA of its own: leave loras out.",
            field=field,
        )
    return refused(field, f"{field} must be {' or '.join(sorted(names))}.")

"""LoRAs that the endpoint's operator has installed, by name."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from ..inputs import NAME, Input
from ..rules import Rule
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields

MOST = 3

LoraName = Annotated[str, StringConstraints(pattern=NAME)]


class LoraInput(Input):
    """One of the operator's LoRAs."""

    name: LoraName = Field(description="What the operator calls it; a dry run lists the names.")
    strength: Annotated[float, Field(ge=0, le=1.5, allow_inf_nan=False)] | None = Field(
        None, description="How strongly it works; default: the operator's."
    )


class LorasFields(Input):
    """The field of this way."""

    loras: Annotated[tuple[LoraInput, ...], Field(min_length=1, max_length=MOST)] | None = Field(
        None, description=f"Up to {MOST} of the operator's own LoRAs, in both stages. {only_with('loras')}"
    )


def _asked_by(job: "JobFields") -> str | None:
    return "loras" if job.loras is not None else None


def _rules(job: "JobFields") -> Iterator[Rule]:
    names = [lora.name for lora in job.loras or ()]
    yield Rule(
        len(set(names)) < len(names),
        "loras",
        "loras must name each LoRA once.",
        frozenset({"loras"}),
    )


WAY = Way(
    name="loras",
    description="The operator's own LoRAs, by name.",
    fields=("loras",),
    asked_by=_asked_by,
    rules=_rules,
)

"""A way beyond the plain job: what an operator can offer, and what it adds to the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..rules import Rule

if TYPE_CHECKING:
    from ..fields import JobFields


def only_with(way: str) -> str:
    """The sentence in the description of a field that only a way has."""
    return f"Where {way} is offered."


def no_rules(_: JobFields) -> Iterable[Rule]:
    """A way whose fields go with every other."""
    return ()


def no_seconds(_: JobFields) -> float | None:
    """A way that leaves the seconds that are paid for to the job's duration."""
    return None


def whole_preview(_: JobFields) -> str | None:
    """A way of which a preview shows all that a job asks for."""
    return None


@dataclass(frozen=True)
class Way:
    """One way.

    Attributes:
        name: what LTX2_OFFER and a dry run's `offers` call it.
        description: what a caller gets, in one sentence.
        fields: the job's fields that only this way has.
        asked_by: the field by which a job asks for it, or None.
        rules: between its fields and others.
        seconds: how many seconds of video a job makes anew, where that is not its duration.
        preview: what a preview of a job leaves out, in a sentence for its caller, or None.
        without: the JSON Schema of fields that have fewer values where the way is not offered.
    """

    name: str
    description: str
    fields: tuple[str, ...]
    asked_by: Callable[[JobFields], str | None]
    rules: Callable[[JobFields], Iterable[Rule]] = no_rules
    seconds: Callable[[JobFields], float | None] = no_seconds
    preview: Callable[[JobFields], str | None] = whole_preview
    without: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def changes_price(self) -> bool:
        """Whether a price depends on its fields."""
        return self.seconds is not no_seconds

"""What an endpoint offers: which models, and which ways beyond the plain job (the setting LTX2_OFFER)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from ltx2_api.names import NAMES
from ltx2_api.ways import NAMES_OF_WAYS


@dataclass(frozen=True)
class Offer:
    """What jobs may ask for.

    Attributes:
        models: families, in the catalogue's order; whether their files are here is another matter.
        ways: beyond the plain job, in the contract's order.
    """

    models: tuple[str, ...]
    ways: tuple[str, ...]

    @classmethod
    def of(cls, named: Collection[str]) -> Self:
        """Read the setting's names. Where it names no family, every family is offered."""
        models = tuple(family for family in NAMES.families if family in named)
        ways = NAMES_OF_WAYS if "all" in named else tuple(way for way in NAMES_OF_WAYS if way in named)
        return cls(models or tuple(NAMES.families), ways)

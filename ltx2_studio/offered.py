"""What can be asked for here: the job's schema, prices and presets, as far as the endpoint offers them.

All of it comes from the contract (`ltx2_api`): a family, a way or a price that is added there is here too.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

from ltx2_api.job import JobInput
from ltx2_api.names import NAMES, WAYS
from ltx2_api.prices import CREDITS

from .contract import Fault, Price

#: Fields of a job that this backend fills in itself.
OURS = ("request_id", "max_credits", "dry_run")
#: The job's field that names a family.
_FAMILY = "model"


def schema(offer: Collection[str]) -> dict[str, Any]:
    """The job's schema, without what this API fills in, and what the endpoint does not offer.

    Arguments:
        offer: names as the worker's LTX2_OFFER takes them; see `Settings.offer`.
    """
    narrowed = deepcopy(JobInput.model_json_schema())
    left_out = {*OURS, *_missing_ways(offer)}
    fields = {name: field for name, field in narrowed["properties"].items() if name not in left_out}
    if _FAMILY in fields:
        _narrow(fields[_FAMILY], _families(offer))
    return narrowed | {"properties": fields}


def faults(offer: Collection[str], given: Mapping[str, object]) -> Iterator[Fault]:
    """What a job asks for that the endpoint does not offer."""
    here = _families(offer)
    if given.get(_FAMILY) in NAMES.families and given[_FAMILY] not in here:
        yield Fault(field=_FAMILY, message=f"{_FAMILY} must be one of {', '.join(here)} here.")
    for way in _missing_ways(offer):
        if given.get(way) is not None:
            yield Fault(field=way, message=f"{way} is not offered here.")


def names() -> tuple[str, ...]:
    """What an offer may name."""
    return ("all", *NAMES.families, *WAYS)


def prices() -> list[Price]:
    """The price list, a line for each price."""
    return [
        Price(quality=quality, resolution=resolution, duration=duration, credits=price)
        for duration, by_form in CREDITS.items()
        for (quality, resolution), price in by_form.items()
    ]


@cache
def presets() -> dict[str, Any]:
    """Named sets of options, as the command line has them."""
    read: dict[str, Any] = json.loads(files("ltx2_client").joinpath("presets.json").read_text("utf-8"))
    return read


def _families(offer: Collection[str]) -> tuple[str, ...]:
    """Where an offer names no family, every family is offered."""
    return tuple(family for family in NAMES.families if family in offer) or tuple(NAMES.families)


def _missing_ways(offer: Collection[str]) -> tuple[str, ...]:
    return () if "all" in offer else tuple(way for way in WAYS if way not in offer)


def _narrow(field: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for option in (field, *field.get("anyOf", ())):
        if "enum" in option:
            option["enum"] = [value for value in option["enum"] if value in allowed]
        elif "const" in option and option["const"] not in allowed:
            option["enum"] = []

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
from ltx2_api.names import NAMES
from ltx2_api.offers import offered_schema
from ltx2_api.prices import CREDITS
from ltx2_api.schema_rules import add_rules
from ltx2_api.ways import NAMES_OF_WAYS, WAYS, Way

from .contract import Fault, Price

#: Fields of a job that this backend fills in itself.
OURS = ("request_id", "max_credits", "dry_run")
#: The job's field that names a family.
_FAMILY = "model"


def schema(offer: Collection[str]) -> dict[str, Any]:
    """The job's schema with the rules between its fields, without what this API fills in or nobody offers.

    Arguments:
        offer: names as the worker's LTX2_OFFER takes them; see `Settings.offer`.
    """
    ways = NAMES_OF_WAYS if "all" in offer else offer
    whole = deepcopy(JobInput.model_json_schema())
    add_rules(whole)
    narrowed = offered_schema(whole, ways)
    fields = {name: field for name, field in narrowed["properties"].items() if name not in OURS}
    if _FAMILY in fields:
        _narrow(fields[_FAMILY], _families(offer))
    return narrowed | {"properties": fields}


def faults(offer: Collection[str], given: Mapping[str, object]) -> Iterator[Fault]:
    """What a job asks for that the endpoint does not offer."""
    here = _families(offer)
    if given.get(_FAMILY) in NAMES.families and given[_FAMILY] not in here:
        yield Fault(field=_FAMILY, message=f"{_FAMILY} must be one of {', '.join(here)} here.")
    for way in _missing_ways(offer):
        for field in way.fields:
            if given.get(field) is not None:
                yield Fault(field=field, message=f"{field} is not offered here.")
        for field, narrower in way.without.items():
            if given.get(field) is not None and given[field] not in narrower["enum"]:
                allowed = ", ".join(map(str, narrower["enum"]))
                yield Fault(field=field, message=f"{field} must be one of {allowed} here.")


def names() -> tuple[str, ...]:
    """What an offer may name."""
    return ("all", *NAMES.families, *NAMES_OF_WAYS)


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


def _missing_ways(offer: Collection[str]) -> tuple[Way, ...]:
    return () if "all" in offer else tuple(way for way in WAYS if way.name not in offer)


def _narrow(field: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for option in (field, *field.get("anyOf", ())):
        if "enum" in option:
            option["enum"] = [value for value in option["enum"] if value in allowed]
        elif "const" in option and option["const"] not in allowed:
            option["enum"] = []

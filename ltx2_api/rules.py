"""Rules between the fields of a job, told as faults; and the rule that every file of a caller's keeps to."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from .errors import Fault
from .inputs import BASE64, MEDIA_URL, URL, Input


@dataclass(frozen=True)
class Rule:
    """One rule, looked at for one job.

    Attributes:
        broken: whether the job breaks it.
        field: the field at fault, as a dotted path.
        message: what is allowed instead.
        involves: the job's own fields that it is about; it says nothing where one of them is wrong by itself.
    """

    broken: bool
    field: str
    message: str
    involves: frozenset[str]


def faults(rules: Iterable[Rule], wrong: Collection[str]) -> list[Fault]:
    """The rules that are broken.

    Arguments:
        wrong: the job's own fields that are wrong by themselves.
    """
    return [
        Fault(rule.field, rule.message) for rule in rules if rule.broken and not rule.involves & set(wrong)
    ]


def media_rules(part: Input, path: str = "", top: str = "") -> Iterator[Rule]:
    """A file is sent as a URL that can be one or as base64, not both; in nested objects and lists as well.

    Arguments:
        path: where `part` is in the job, with its last dot.
        top: the job's own field that it is in.
    """
    for name in type(part).model_fields:
        value = getattr(part, name)
        inside = top or name
        if name.endswith(URL) and name.removesuffix(URL) + BASE64 in type(part).model_fields:
            other = name.removesuffix(URL) + BASE64
            yield Rule(
                value is not None and getattr(part, other) is not None,
                path + other,
                f"send {path}{name} or {path}{other}, not both.",
                frozenset({top} if top else {name, other}),
            )
            yield Rule(
                value is not None and not re.match(MEDIA_URL, value),
                path + name,
                f"{path}{name} must be an http(s) URL, or s3:// in the endpoint's own bucket.",
                frozenset({inside}),
            )
        elif isinstance(value, Input):
            yield from media_rules(value, f"{path}{name}.", inside)
        elif isinstance(value, tuple):
            for number, each in enumerate(value):
                if isinstance(each, Input):
                    yield from media_rules(each, f"{path}{name}.{number}.", inside)

"""What is wrong with a job's input, worded for its caller: the error, and each of pydantic's as a fault."""

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from .bounds import MAX_NAME
from .errors import MAX_FAULTS, ErrorCode, Fault, WorkerError
from .inputs import PATTERNS


def refused(faults: tuple[Fault, ...], unsaid: int = 0) -> WorkerError:
    """The error for an input's faults, of which `MAX_FAULTS` are told and the rest are counted."""
    told = faults[:MAX_FAULTS]
    unsaid += len(faults) - len(told)
    more = (f"There are {unsaid} more faults.",) if unsaid else ()
    return WorkerError(
        ErrorCode.INVALID_INPUT,
        " ".join((*(fault.message for fault in told), *more)),
        field=told[0].field,
        faults=told,
    )


def told_once(details: Sequence[Any]) -> list[Any]:
    """Pydantic's errors, but for that of a list which is too short because faulty entries do not count."""
    places = [detail["loc"] for detail in details]

    def is_told(detail: Any) -> bool:
        place = detail["loc"]
        inside = any(len(other) > len(place) and other[: len(place)] == place for other in places)
        return bool(detail["type"] == "too_short" and inside)

    return [detail for detail in details if not is_told(detail)]


def worded(detail: Any, model: type[BaseModel]) -> Fault:
    """Word one of pydantic's errors for a caller: the field, and what is allowed.

    Arguments:
        detail: one of `ValidationError.errors()`.
        model: what was validated; the field may be in an object inside of it.
    """
    path = [str(part) for part in detail["loc"]]
    model = _object_of(detail["loc"], model)
    field = ".".join(path)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        near = difflib.get_close_matches(path[-1][:MAX_NAME], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}."
        return Fault(printable(field), f"{printable(field)} is not a field of this job; {hint}")
    if kind == "missing":
        return Fault(field, f"{field} is required.")
    if kind == "literal_error":
        return Fault(field, f"{field} must be {context['expected']}.")
    if kind in {"greater_than_equal", "less_than_equal"}:
        return Fault(field, f"{field} must be {_range(path[-1], model)}.")
    if kind == "tuple_type":
        return Fault(field, f"{field} must be a list.")
    if kind == "model_type":
        return Fault(field, f"{field} must be a JSON object.")
    if kind == "string_pattern_mismatch":
        return Fault(field, f"{field} must {PATTERNS[context['pattern']]}.")
    if kind in {"too_short", "too_long"}:
        return Fault(field, f"{field} must have {_range(path[-1], model, 'Items')} entries.")
    requirement = str(detail["msg"]).removeprefix("Input should be ").removeprefix("Input should ")
    if kind.startswith(("string_too", "string_unicode")):
        requirement = str(detail["msg"])[0].lower() + str(detail["msg"])[1:]
        return Fault(field, f"{field}: {requirement}.")
    return Fault(field, f"{field} must be {requirement}.")


def _object_of(path: tuple[str | int, ...], model: type[BaseModel]) -> type[BaseModel]:
    """The object whose field is at the end of a path: nested objects are followed, lists of them too."""
    for name in path[:-1]:
        known = model.model_fields.get(name) if isinstance(name, str) else None
        inner = object_in(known.annotation) if known else None
        model = inner or model
    return model


def object_in(annotation: Any) -> type[BaseModel] | None:
    """The object that a field holds, or holds a list of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := object_in(inner))), None)


def _range(name: str, model: type[BaseModel], of: str = "imum") -> str:
    """The range of a number, as its JSON Schema has it: both ends, whichever was passed.

    Arguments:
        of: what the schema's words for its ends end with: `imum` of a number, `Items` of a list's length.
    """
    field = model.model_json_schema()["properties"][name]
    number = next(option for option in field.get("anyOf", [field]) if f"min{of}" in option)
    least, most = number[f"min{of}"], number.get(f"max{of}")
    return f"{least} or more" if most is None else f"{least} to {most}"


def is_text(name: object) -> bool:
    """Whether a field's name is text that can be written: JSON allows halves of surrogate pairs."""
    try:
        return isinstance(name, str) and name.encode() is not None
    except UnicodeEncodeError:
        return False


def printable(name: str) -> str:
    """A caller's own field name, safe to show and to log: short, and without control characters."""
    return "".join(character if character.isprintable() else "?" for character in name[:MAX_NAME])

"""What an endpoint offers beyond the plain job: refused where it does not, and not shown."""

from collections.abc import Collection
from typing import Any

from .errors import ErrorCode, Fault, WorkerError
from .fields import JobFields
from .ways import WAYS


def require(job: JobFields, offered: Collection[str]) -> None:
    """Check that an endpoint offers what a job asks for.

    Arguments:
        offered: names of ways.

    Raises:
        WorkerError: NOT_OFFERED, naming each field that asks for a way which is not among them.
    """
    faults = tuple(
        Fault(field, _sentence(field, way.name, way.without.get(field)))
        for way in WAYS
        if way.name not in offered and (field := way.asked_by(job)) is not None
    )
    if faults:
        message = " ".join(fault.message for fault in faults)
        raise WorkerError(ErrorCode.NOT_OFFERED, message, field=faults[0].field, faults=faults)


def _sentence(field: str, way: str, without: Any) -> str:
    instead = "leave it out"
    if without is not None:
        *most, last = map(str, without["enum"])
        instead = f"it is {', '.join(most)} or {last} here"
    return f"{field}: this endpoint does not offer {way}; {instead}."


def offered_schema(schema: dict[str, Any], offered: Collection[str]) -> dict[str, Any]:
    """Return a job's JSON Schema with the fields and values alone that an endpoint offers.

    Arguments:
        schema: `JobInput.model_json_schema()`, or part of its properties.
        offered: names of ways.
    """
    fields = dict(schema["properties"])
    for way in WAYS:
        if way.name in offered:
            continue
        for name in way.fields:
            fields.pop(name, None)
        for name, narrower in way.without.items():
            if name in fields:
                texts = {
                    key: fields[name][key]
                    for key in ("title", "description", "default")
                    if key in fields[name]
                }
                fields[name] = texts | dict(narrower) | {"type": fields[name].get("type", "integer")}
    return schema | {"properties": fields}

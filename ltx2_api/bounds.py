"""How much an input may hold: checked before anything looks at its fields, in bounded time and memory."""

from collections.abc import Mapping

from .errors import ErrorCode, Fault, WorkerError

#: Levels of objects and lists; the deepest job has three.
MAX_DEPTH = 16
#: Fields and list items in all; the largest job has some fifty.
MAX_VALUES = 1000
#: Characters of one field's name; the longest has eighteen.
MAX_NAME = 80


def check_bounds(raw: object, field: str = "input") -> None:
    """Refuse an input that no job can be, without recursion and without looking at all of it.

    Arguments:
        raw: as it was received.
        field: its name, for the caller.

    Raises:
        WorkerError: INVALID_INPUT, it is nested too deeply, or holds too much.
    """
    level: list[object] = [raw]
    values = 0
    for _ in range(MAX_DEPTH + 1):
        below: list[object] = []
        for value in level:
            if isinstance(value, Mapping):
                inside: list[object] = list(value.values()) if len(value) <= MAX_VALUES else []
            elif isinstance(value, list):
                inside = value
            else:
                continue
            values += len(value)
            if values > MAX_VALUES:
                raise _refused(field, f"holds more than {MAX_VALUES:,} fields and list items")
            below += inside
        if not below:
            return
        level = below
    raise _refused(field, f"is nested more than {MAX_DEPTH} levels deep")


def _refused(field: str, what: str) -> WorkerError:
    message = f"{field} {what}."
    return WorkerError(ErrorCode.INVALID_INPUT, message, field=field, faults=(Fault(field, message),))

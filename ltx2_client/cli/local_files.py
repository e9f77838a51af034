"""Files of this machine that a job names where it could give a URL: read in, and sent along as base64."""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ltx2_api.inputs import BASE64, URL
from ltx2_api.job import JobInput

from ..errors import InvalidJob

#: The largest file that fits into a request beside everything else, base64 being a third longer.
MOST_FILE_BYTES = 7_000_000


def read_in(fields: Mapping[str, Any], beside: Path, where: str = "") -> dict[str, Any]:
    """Return a job's fields with every file that they name by its path, in nested objects and lists too.

    Arguments:
        fields: as their author wrote them, right or wrong.
        beside: the folder that relative paths start from.
        where: the place of these fields in the job, with its last dot.

    Raises:
        InvalidJob: a file cannot be read, or is too large.
    """
    given: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _urls() and isinstance(value, str) and "://" not in value:
            encoded = value if value.startswith("data:") else _base64(beside / value, f"{where}{name}: ")
            given[name.removesuffix(URL) + BASE64] = encoded
        else:
            given[name] = _inside(value, beside, f"{where}{name}.")
    return given


def _inside(value: Any, beside: Path, where: str) -> Any:
    if isinstance(value, Mapping):
        return read_in(value, beside, where)
    if isinstance(value, list):
        return [_inside(each, beside, f"{where}{number}.") for number, each in enumerate(value)]
    return value


@cache
def _urls() -> frozenset[str]:
    """The names of fields that take a file's URL, in the job and in its objects."""
    schema = JobInput.model_json_schema()
    objects = (schema, *schema.get("$defs", {}).values())
    return frozenset(name for each in objects for name in each.get("properties", {}) if name.endswith(URL))


def _base64(path: Path, field: str) -> str:
    try:
        size = path.stat().st_size
        if size > MOST_FILE_BYTES:
            raise InvalidJob(
                f"{field}{path} has {size / 1e6:.1f} MB; up to {MOST_FILE_BYTES / 1e6:.0f} MB can be sent "
                "along. Put it where the worker can fetch it, and give its URL."
            )
        return base64.b64encode(path.read_bytes()).decode()
    except (OSError, ValueError) as error:  # a path with a null character is no path
        reason = getattr(error, "strerror", None) or error
        raise InvalidJob(f"{field}{path} cannot be read: {reason}.") from error

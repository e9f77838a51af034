"""What others send, read so that none of it can end a program: JSON of any shape, numbers and names."""

import json
import math
import re
from typing import Any, NoReturn

#: Digits of the longest number in a header: 16 are a petabyte in bytes.
_MOST_DIGITS = 16
#: RunPod's ids are shorter; a name that is no plain ASCII fits neither into a URL nor into a file's name.
_JOB_ID = re.compile(r"[!-~]{1,128}")
#: An escape that may be half of a pair.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(body: bytes) -> Any:
    """Parse JSON; raises `ValueError` for what is none, also where Python would read it.

    That is: NaN and numbers that are infinite to Python, halves of surrogate pairs, which can be neither
    printed nor stored, and what is nested too deeply to be read.
    """
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def whole_number(text: str) -> int | None:
    """The number that a header's digits are; None where they are no number of a sane length."""
    plain = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if plain else None


def is_job_id(value: object) -> bool:
    """Whether something can be a job's id."""
    return isinstance(value, str) and _JOB_ID.fullmatch(value) is not None


def on_one_line(text: str) -> str:
    """A stranger's text without control characters: none moves a terminal's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

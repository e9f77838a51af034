"""Jobs as RunPod sends them: JSON of any shape, read so that one bad job cannot take others down.

The SDK reads an answer with `response.json()`. Python's parser raises RecursionError on JSON that is nested
about a thousand levels deep, and ValueError on an integer of more than 4,300 digits; the SDK then drops the
whole answer, although its jobs count as taken.
"""

import json
import re
from typing import Any

from aiohttp import ClientResponse

#: JSON below this depth is replaced by 0: far more than any job may have, far less than the parser can read.
DEEPEST = 64
#: No number that any job may have is longer.
LONGEST_INTEGER = 400

_ID = re.compile(r"(?!\.{1,2}\Z)[!-~]{1,256}")  # printable ASCII without space; no folder of a path
#: Characters that would change the path of the URL into which the SDK puts an id.
_NOT_IN_A_PATH = frozenset("/?#%\\")
#: A string, or a bracket outside of strings. One that does not end reaches to the end of the text, or each
#: quotation mark in it would be tried as the beginning of another.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class JobResponse(ClientResponse):
    """An answer of the platform whose JSON may hold anything."""

    async def json(self, *args: Any, **kwargs: Any) -> Any:
        """The answer's JSON; what lies deeper than `DEEPEST` is 0, an integer too long for Python infinite.

        Raises:
            ValueError: it is not JSON.
        """
        try:
            return await super().json(*args, **kwargs)
        except (RecursionError, ValueError):
            return json.loads(flattened(await self.text()), parse_int=_integer)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def flattened(text: str) -> str:
    """Replace the objects and arrays that lie deeper than `DEEPEST` by 0."""
    kept: list[str] = []
    depth = position = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                kept += (text[position : token.start()], "0")
        elif token[0] in "]}":
            depth -= 1
            if depth == DEEPEST:
                position = token.end()
    return "".join((*kept, text[position:] if depth <= DEEPEST else ""))


def is_job(job: object) -> bool:
    """Whether the SDK can run a job and report on it: an object with an input, and an id that fits a URL."""
    if not isinstance(job, dict) or "input" not in job:
        return False
    job_id = job.get("id")
    return isinstance(job_id, str) and _ID.fullmatch(job_id) is not None and _NOT_IN_A_PATH.isdisjoint(job_id)

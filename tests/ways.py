"""A job for each of the ways beyond the plain one: the examples of docs/ways.md."""

import json
import re
from typing import Any

from tools.reference import ROOT

_EXAMPLE = re.compile(r"^## (\w+)\n.*?^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)


JOBS: dict[str, dict[str, Any]] = {
    name: json.loads(job) for name, job in _EXAMPLE.findall((ROOT / "docs" / "ways.md").read_text("utf-8"))
}


def styled(job: dict[str, Any], name: str) -> dict[str, Any]:
    """An example, with an operator's LoRA of this name in place of the one that it names."""
    return job if "loras" not in job else job | {"loras": [each | {"name": name} for each in job["loras"]]}

"""A job for each of the ways beyond the plain one: the examples of docs/ways.md."""

import json
import re
from typing import Any

from tools.reference import ROOT

_EXAMPLE = re.compile(r"^## (\w+)\n.*?^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)

JOBS: dict[str, dict[str, Any]] = {
    name: json.loads(job) for name, job in _EXAMPLE.findall((ROOT / "docs" / "ways.md").read_text("utf-8"))
}

"""A job for each of the ways beyond the plain one, as docs/ways.md shows it."""

from typing import Any

JOBS: dict[str, dict[str, Any]] = {
    "shapes": {"aspect": "9:16"},
    "lengths": {"duration": 6},
}

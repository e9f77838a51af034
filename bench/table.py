"""Rows of the table, and how a sample of measurements is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, the result, and what was to be reached ("shown" where nothing was)."""

    figure: str
    result: str
    target: str = "shown"


def spread(values: Sequence[float], unit: str, *, scale: float = 1.0, digits: int = 0) -> str:
    """The median and the range of a sample: "12 ms (10-31, n=5)"."""
    middle, low, high = (
        f"{value * scale:.{digits}f}" for value in (median(values), min(values), max(values))
    )
    return f"{middle} {unit} ({low} to {high}, n={len(values)})"


def milliseconds(values: Sequence[float]) -> str:
    """Seconds, shown in milliseconds."""
    return spread(values, "ms", scale=1000)


def markdown(rows: Iterable[Row]) -> str:
    """The table as it stands in docs/performance.md."""
    lines = ["| figure | result | to reach |", "|---|---|---|"]
    lines += [f"| {row.figure} | {row.result} | {row.target} |" for row in rows]
    return "\n".join(lines)

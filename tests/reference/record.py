"""What was compared, and how far apart it was."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        error: largest difference, relative to the largest value of Lightricks' side.
        limit: what counts as float error here.
    """

    name: str
    error: float
    limit: float


@dataclass
class Record:
    """The comparisons of a run.

    Attributes:
        counts: what was counted on the engine's side, by name.
    """

    rows: list[Row] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)

    def compare(self, name: str, ours: torch.Tensor, theirs: torch.Tensor, limit: float) -> None:
        """Note how far apart two tensors are; a shape that differs, or no number, is infinitely far."""
        error = float("inf")
        if ours.shape == theirs.shape:
            difference = (ours.double() - theirs.double()).abs().max()
            error = float((difference / theirs.double().abs().max()).nan_to_num(nan=float("inf")))
        self.rows.append(Row(name, error, limit))

    def as_data(self) -> dict[str, Any]:
        """What was noted, as JSON has it."""
        return {"rows": [asdict(row) for row in self.rows], "counts": self.counts}

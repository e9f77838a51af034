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
    """The comparisons of a run; a shape that differs is an error of infinity."""

    rows: list[Row] = field(default_factory=list)

    def compare(self, name: str, ours: torch.Tensor, theirs: torch.Tensor, limit: float) -> None:
        """Note how far apart two tensors are."""
        error = float("inf")
        if ours.shape == theirs.shape:
            difference = (ours.double() - theirs.double()).abs().max()
            error = float(difference / theirs.double().abs().max())
        self.rows.append(Row(name, error, limit))

    def as_data(self) -> list[dict[str, Any]]:
        """The rows, as JSON has them."""
        return [asdict(row) for row in self.rows]

"""Waits and cost over load, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from .simulation import Result, percentile

_INCHES = (10.0, 4.0)


def draw(
    path: Path,
    loads: Sequence[float],
    rows: Mapping[str, Sequence[Result]],
    today: float | None = None,
) -> None:
    """Draw the 95th percentile of the wait, and the paid seconds per video, over load.

    Arguments:
        path: of the picture; its suffix says the format (svg, png).
        loads: jobs' engine seconds that arrive per second, as a share of the workers.
        rows: for each line its results, one for each load.
        today: the operator's own load, marked by a line.
    """
    figure = Figure(figsize=_INCHES, layout="constrained")
    waits, costs = figure.subplots(1, 2)
    for name, results in rows.items():
        waits.plot(loads, [percentile(result.waits, 0.95) for result in results], marker="o", label=name)
        costs.plot(loads, [result.paid for result in results], marker="o", label=name)
    waits.set(title="Wait, 95th percentile", ylabel="seconds", ylim=(0, None))
    costs.set(title="Paid for a video", ylabel="seconds of a worker", ylim=(0, None))
    for axes in (waits, costs):
        axes.set_xlabel("load (share of the largest number of workers)")
        if today is not None:
            axes.axvline(today, color="grey", linestyle=":")
        axes.grid(alpha=0.3)
        axes.legend()
    # Without its date and with the same ids, a picture that has not changed is the same file.
    with rc_context({"svg.hashsalt": "fleet"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)

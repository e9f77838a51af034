"""Results as tables: for a terminal, and for the documents."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from .advice import Change
from .simulation import Result, percentile

HEADINGS = (
    "mean wait, s",
    "p50",
    "p95",
    "p99",
    "p95 until done, s",
    "paid s per video",
    "busy, %",
    "starts per 100 videos",
)


def figures(result: Result) -> tuple[str, ...]:
    """The figures under HEADINGS: waits and totals in seconds, workers' paid seconds per video."""
    mean = sum(result.waits) / max(1, len(result.waits))
    waits = (percentile(result.waits, share) for share in (0.5, 0.95, 0.99))
    seconds = (mean, *waits, percentile(result.totals, 0.95), result.paid)
    return (
        *(f"{value:.0f}" for value in seconds),
        f"{100 * result.busy:.0f}",
        f"{100 * result.starts:.1f}",
    )


def markdown(first: str, rows: Mapping[str, Result]) -> str:
    """A table for a document, one row per result."""
    lines = [(first, *HEADINGS), ("---",) * (len(HEADINGS) + 1)]
    lines += [(name, *figures(result)) for name, result in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def show(
    console: Console, today: Result, changes: Sequence[Change], *, timeout: float, gpu_hour: float | None
) -> None:
    """Print what the settings do, what a video costs, and what to change."""
    table = Table(title="Your settings", title_justify="left", show_header=False)
    for heading, value in zip(HEADINGS, figures(today), strict=True):
        table.add_row(heading, value)
    console.print(table)
    console.print(f"{today.videos} videos simulated; {cost(today, gpu_hour)}.")
    if today.unfinished:
        console.print(f"[red]{today.unfinished} jobs were never done: the endpoint is too small for them.[/]")
    if late := today.over(timeout):
        console.print(
            f"[red]An execution timeout of {timeout:.0f} s would end {100 * late:.1f} % of the jobs.[/]"
        )
    if not changes:
        console.print("No other value of a single setting is better, or a trade worth naming.")
        return
    table = Table("change", "p95 wait", "cost", "p95 wait, s", HEADINGS[5], title="What to change")
    for change in changes:
        values = figures(change.result)
        table.add_row(
            change.name,
            f"{100 * (change.wait - 1):+.0f} %",
            f"{100 * (change.cost - 1):+.0f} %",
            values[2],
            values[5],
            style="green" if change.is_better else None,
        )
    console.print(table)
    console.print("Green gains in one and loses in neither; the others trade waiting for money.")


def cost(result: Result, gpu_hour: float | None) -> str:
    """What one video costs, in a sentence's words.

    Arguments:
        gpu_hour: price of a worker for an hour, in any currency.
    """
    paid = f"{result.paid:.0f} paid seconds a video"
    return (
        paid
        if gpu_hour is None
        else f"{paid}, which is {result.paid * gpu_hour / 3600:.3f} at {gpu_hour:g} an hour"
    )

"""A person's view of one job on a terminal: a bar while it runs, where things lie when it is done."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ltx2_api.progress import Progress as JobProgress
from ltx2_api.reply import DryRunResult, FailureResult, VideoResult

#: An estimate that has not moved for so many seconds is wrong: what is shown then is how long it took so far.
UNMOVED_SECONDS = 3.0


class Bar:
    """The bar of one job: percent, stage, step of steps, seconds left.

    Arguments:
        clock: seconds, monotonic.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entered, self._moved = clock(), clock()
        self._last: JobProgress | None = None
        self._bar = Progress(
            TextColumn("{task.percentage:>3.0f} %"),
            BarColumn(bar_width=36),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("starting", total=100)
        self._bar.start()

    def show(self, progress: JobProgress) -> None:
        """Show the job's progress now."""
        self._bar.update(self._task, completed=progress.percent, description=self.text(progress))

    def text(self, progress: JobProgress) -> str:
        """What stands beside the bar."""
        now, last = self._clock(), self._last
        if last is None or last.stage is not progress.stage:
            self._entered = now
        if last is None or (last.stage, last.step, last.percent) != (
            progress.stage,
            progress.step,
            progress.percent,
        ):
            self._moved = now
        self._last = progress
        step = f" {progress.step}/{progress.steps}" if progress.step is not None else ""
        if now - self._moved > UNMOVED_SECONDS:
            return f"{progress.stage}{step}, {now - self._entered:.0f} s so far"
        left = f", about {progress.seconds_left} s left" if progress.seconds_left else ""
        return f"{progress.stage}{step}{left}"

    def close(self) -> None:
        """Remove the bar: how the job ended is told in words."""
        self._bar.stop()


def show_outcome(outcome: VideoResult | DryRunResult | FailureResult, console: Console) -> None:
    """Say how a job ended."""
    if isinstance(outcome, FailureResult):
        console.print(f"Failed ({outcome.code}): {outcome.error}", style="red", markup=False)
        return
    if isinstance(outcome, DryRunResult):
        console.print_json(outcome.model_dump_json())
        return
    sound = "with sound" if outcome.audio else "without sound"
    size = f"{outcome.width}x{outcome.height}, {outcome.duration:g} s, {outcome.fps:g} fps, {sound}"
    _line(console, f"Video:  {outcome.path or outcome.url}  ({size})")
    if outcome.poster_path or outcome.poster_url:
        _line(console, f"Poster: {outcome.poster_path or outcome.poster_url}")
    for warning in outcome.warnings:
        _line(console, f"Note:   {warning}")


def _line(console: Console, text: str) -> None:
    """Print a line as it is and in one piece, so that paths and URLs can be copied."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)

"""A person's view of one job on a terminal: a bar while it runs, where things lie when it is done."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from .progress import Progress as JobProgress
from .result import DryRunResult, FailureResult, VideoResult


class Bar:
    """The bar of one job: percent, stage, step of steps, seconds left."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.percentage:>3.0f} %"),
            BarColumn(bar_width=36),
            TextColumn("{task.description}"),
            console=console,
        )
        self._task: TaskID = self._bar.add_task("starting", total=100)
        self._bar.start()

    def show(self, progress: JobProgress) -> None:
        """Show the job's progress now."""
        step = f" {progress.step}/{progress.steps}" if progress.step is not None else ""
        left = f", about {progress.seconds_left} s left" if progress.seconds_left else ""
        self._bar.update(self._task, completed=progress.percent, description=f"{progress.stage}{step}{left}")

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def tell(outcome: VideoResult | DryRunResult | FailureResult, console: Console) -> None:
    """Say how a job ended."""
    if isinstance(outcome, FailureResult):
        console.print(f"Failed ({outcome.code}): {outcome.error}", style="red", markup=False)
        return
    if isinstance(outcome, DryRunResult):
        console.print_json(outcome.model_dump_json())
        return
    sound = "with sound" if outcome.audio else "without sound"
    size = f"{outcome.width}x{outcome.height}, {outcome.duration:g} s, {outcome.fps:g} fps, {sound}"
    console.print(f"Video:  {outcome.path or outcome.url}  ({size})", soft_wrap=True, markup=False)
    if outcome.poster_path or outcome.poster_url:
        console.print(f"Poster: {outcome.poster_path or outcome.poster_url}", soft_wrap=True, markup=False)
    for warning in outcome.warnings:
        console.print(f"Note:   {warning}", style="yellow", markup=False)

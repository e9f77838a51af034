"""What `ltx2` says: a bar and sentences on a terminal, JSON where it is piped.

The result goes to standard output, everything on the way to standard error.
"""

import json
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ltx2_api.reply import DryRunResult, VideoResult

from .. import errors
from ..events import Done, Downloading, Event, Queued, Running, TakeEnded, TakeStarted, Troubled
from ..strangers import on_one_line


class Output:
    """One command's output; `listen` takes the events of any number of jobs.

    Arguments:
        as_json: JSON instead of text.
        events: also write every event, as a JSON line on standard error.
    """

    def __init__(self, *, as_json: bool, events: bool = False) -> None:
        self.as_json = as_json
        self._events = events
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._names: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        if not self.as_json and self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[text]}", markup=False),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop_bars()

    def stop_bars(self) -> None:
        """Leave the terminal to others."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def listen(self, event: Event) -> None:
        """Show an event."""
        if self._events:
            print(json.dumps(_event_json(event)), file=sys.stderr, flush=True)
            return
        if self.as_json:
            return
        if isinstance(event, TakeStarted):
            self._names[event.job_id] = event.take
        elif isinstance(event, TakeEnded):
            self._end(event)
        else:
            self.progress(event.job_id, _percent(event), _text(event))

    def say(self, text: str) -> None:
        """Say something to a person; nothing where JSON is read."""
        if not self.as_json:
            self._console.print(_shown(text), highlight=False, markup=False, soft_wrap=True)

    def result(self, data: Any, text: str) -> None:
        """Write the command's result: `data` as one line of JSON, or `text`."""
        self.stop_bars()
        print(json.dumps(data) if self.as_json else _shown(text), flush=True)

    def error(self, error: errors.Ltx2Error, extra: str = "") -> None:
        """Say what went wrong: one sentence, or one line of JSON."""
        self.stop_bars()
        if self.as_json:
            print(json.dumps({"error": error_json(error)}), file=sys.stderr, flush=True)
        else:
            job = f" [{error.job_id}]" if error.job_id else ""
            self.say(f"ltx2: {error.message}{job}")
            if extra:
                self.say(extra)

    def progress(self, job_id: str, percent: float | None, text: str) -> None:
        """Show how far something is: a bar on a terminal, elsewhere a line for each stage."""
        if self.as_json:
            return
        text = on_one_line(text)
        name = self._names.get(job_id, job_id)
        if self._progress is None:
            stage = text.partition(" ·")[0]
            if self._told.get(job_id) != stage:
                self._told[job_id] = stage
                self.say(f"{name}: {text}")
            return
        if job_id not in self._bars:
            self._bars[job_id] = self._progress.add_task(name, total=100, text="")
        bar = self._bars[job_id]
        self._progress.update(bar, text=text, completed=percent)

    def _end(self, event: TakeEnded) -> None:
        if self._progress is not None and event.job_id in self._bars:
            self._progress.remove_task(self._bars.pop(event.job_id))
        self.say(f"{event.take}: {event.file or event.error}")


def _shown(text: str) -> str:
    """A text as it may be written to a terminal: what an endpoint says is in it."""
    return "\n".join(on_one_line(line) for line in text.split("\n"))


def video_json(result: VideoResult, file: object) -> dict[str, Any]:
    """A finished job as JSON, and where its file lies."""
    return result.model_dump(mode="json", exclude_none=True, exclude={"video_base64"}) | {"file": str(file)}


def plan_text(plan: DryRunResult) -> str:
    """A worker's plan in a few lines."""
    missing = [file.name for file in plan.files if not file.installed]
    lines = [
        f"{plan.quality}: {plan.width}x{plan.height}, {plan.fps} fps, {plan.duration} s",
        f"{plan.credits} credits; about {plan.expected_seconds} s on a warm worker",
        *(f"not installed: {name}" for name in missing),
        *([f"this endpoint offers {', '.join(plan.offers)}"] if plan.offers else []),
        *(f"own LoRA {name}: {what}" for name, what in plan.loras.items()),
        *plan.warnings,
    ]
    return "\n".join(lines)


def error_json(error: errors.Ltx2Error) -> dict[str, Any]:
    """An error for programs."""
    named = {
        "kind": type(error).__name__,
        "message": error.message,
        "job_id": error.job_id,
        "code": getattr(error, "code", None),
        "field": getattr(error, "field", None),
        "retryable": getattr(error, "retryable", None),
        "reference": getattr(error, "reference", None),
        "request_id": getattr(error, "request_id", None),
    }
    faults = [asdict(fault) for fault in getattr(error, "faults", ())]
    return {key: value for key, value in named.items() if value is not None} | (
        {"faults": faults} if faults else {}
    )


def _event_json(event: Event) -> dict[str, Any]:
    if isinstance(event, Done):
        return {"event": "Done", "job_id": event.job_id}
    fields = {key: value for key, value in asdict(event).items() if value is not None and key != "picture"}
    return {"event": type(event).__name__} | fields


def _percent(event: Event) -> float | None:
    if isinstance(event, Running):
        return event.percent
    if isinstance(event, Downloading) and event.total:
        return 100 * event.received / event.total
    return 100 if isinstance(event, Done) else None


def _text(event: Event) -> str:
    if isinstance(event, Queued):
        return f"in the queue · {event.reason}" if event.reason else "in the queue"
    if isinstance(event, Running):
        steps = f" {event.step}/{event.steps}" if event.step is not None and event.steps else ""
        left = f" · {event.seconds_left:.0f} s left" if event.seconds_left is not None else ""
        return f"{event.stage or 'running'} ·{steps}{left}" if steps or left else event.stage or "running"
    if isinstance(event, Downloading):
        return f"downloading · {event.received / 1e6:.1f} MB"
    if isinstance(event, Troubled):
        return f"RunPod does not answer ({event.failures} tries); the job goes on"
    return "done"

"""`ltx2 watch|status|cancel|retry|download|jobs`: what is done with a job that is there."""

import argparse
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import Expired, InvalidJob
from ..journal import Entered, Entry, Journal
from ..models import State, Status
from ..outcome import failure, running
from .exits import Exit
from .following_job import bring, client_for, fetch, interrupts_held
from .new_command import NewCommand
from .output import Output, error_json, video_json

#: A submit that has been on its way longer than this was not seen to the end.
_SUBMIT_SECONDS = 120.0


def add(new: NewCommand) -> None:
    """Add the sub-commands."""

    def command(name: str, about: str, run: Any) -> argparse.ArgumentParser:
        parser = new(name, about)
        parser.add_argument("job", metavar="ID", help="the job's id; 'last' is the one submitted last")
        parser.set_defaults(command=run)
        return parser

    watch = command("watch", "follow a job to its end and fetch its video", _watch)
    download = command("download", "fetch a finished job's video", _download)
    for parser in (watch, download):
        parser.add_argument("--out", type=Path, metavar="PATH", help="file or folder (default: JOB_ID.mp4)")
        parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
        parser.add_argument("--poster", action="store_true", help="fetch the poster too")
    watch.add_argument("--timeout", type=float, metavar="S", help="seconds to wait; then the job goes on")
    command("status", "say how a job is", _status)
    command("cancel", "cancel a job", _cancel)
    command("retry", "run a failed job again under its own id", _retry)
    jobs = new("jobs", "list the jobs submitted from here")
    jobs.add_argument("--limit", type=int, default=20, metavar="N", help="the newest so many (default 20)")
    jobs.add_argument("--open", action="store_true", help="only those that have not ended")
    jobs.set_defaults(command=_jobs)


def _watch(arguments: argparse.Namespace, output: Output) -> Exit:
    endpoint, job_id, aimed = _resolve(arguments)
    with client_for(endpoint) as client:
        return bring(
            client.handle(job_id),
            output,
            arguments.out or aimed,
            timeout=arguments.timeout,
            overwrite=arguments.overwrite,
            poster=arguments.poster,
            endpoint=arguments.endpoint,
        )


def _download(arguments: argparse.Namespace, output: Output) -> Exit:
    endpoint, job_id, aimed = _resolve(arguments)
    with client_for(endpoint) as client:
        video = client.handle(job_id).result()
        out = arguments.out or aimed
        target = fetch(video, output, out, overwrite=arguments.overwrite, poster=arguments.poster)
    output.result(video_json(video, target), str(target))
    return Exit.OK


def _status(arguments: argparse.Namespace, output: Output) -> Exit:
    endpoint, job_id, _ = _resolve(arguments)
    with client_for(endpoint) as client:
        status = client.handle(job_id).status()
    output.result(_status_json(status), _status_text(status))
    return Exit.OK


def _cancel(arguments: argparse.Namespace, output: Output) -> Exit:
    endpoint, job_id, _ = _resolve(arguments)
    with client_for(endpoint) as client:
        status = client.handle(job_id).cancel()
    output.result(_status_json(status), _status_text(status))
    return Exit.OK


def _retry(arguments: argparse.Namespace, output: Output) -> Exit:
    endpoint, job_id, _ = _resolve(arguments)
    with client_for(endpoint) as client, interrupts_held():
        client.handle(job_id).retry()
    output.result({"job_id": job_id}, f"{job_id} runs again")
    return Exit.OK


def _jobs(arguments: argparse.Namespace, output: Output) -> Exit:
    entries = [
        entry
        for entry in Journal.default().entries(arguments.limit)
        if entry.state.open or not arguments.open
    ]
    lines = [
        f"{_when(entry)}  {_state(entry):<10}  {entry.credits:>4}  {entry.job_id or entry.reference}  "
        f"{str(entry.input.get('prompt', ''))[:60]}"
        for entry in entries
    ]
    output.result([_entry_json(entry) for entry in entries], "\n".join(lines) or "no jobs yet")
    return Exit.OK


def _resolve(arguments: argparse.Namespace) -> tuple[str | None, str, Path | None]:
    """The endpoint, the job's id and where its video is to go, with what the journal knows of it."""
    entries = Journal.default().entries(at_most=10_000)
    if arguments.job == "last":
        entry = next((entry for entry in entries if entry.job_id is not None), None)
        if entry is None:
            raise InvalidJob("No job was submitted from here yet.")
    else:
        entry = next((entry for entry in entries if entry.job_id == arguments.job), None)
    if entry is None or entry.job_id is None:
        unsent = next((entry for entry in entries if entry.reference == arguments.job), None)
        if unsent is not None:
            raise Expired("RunPod's answer to this submit was never heard: there is no id to ask after.")
        return arguments.endpoint, arguments.job, None
    aimed = Path(entry.target) if entry.target else None
    return arguments.endpoint or entry.endpoint, entry.job_id, aimed


def _status_json(status: Status) -> dict[str, Any]:
    told = status.model_dump(mode="json", exclude_none=True)
    if status.state.final and status.state is not State.COMPLETED:
        told["error"] = error_json(failure(status))
    return told


def _status_text(status: Status) -> str:
    if status.state is State.IN_PROGRESS:
        event = running(status)
        parts = [event.stage, None if event.percent is None else f"{event.percent} %"]
        left = None if event.seconds_left is None else f"{event.seconds_left:.0f} s left"
        return " · ".join(["IN_PROGRESS", *(part for part in (*parts, left) if part)])
    if status.state.final and status.state is not State.COMPLETED:
        return f"{status.state}: {failure(status)}"
    return str(status.state)


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "job_id": entry.job_id,
        "reference": entry.reference,
        "endpoint": entry.endpoint,
        "state": _state(entry),
        "credits": entry.credits,
        "created_at": entry.created_at,
        "input": dict(entry.input),
        "target": entry.target,
        "error": entry.error,
    }


def _state(entry: Entry) -> str:
    """The entry's state; a submit that nobody saw to the end is not known."""
    late = entry.state is Entered.SUBMITTING and time.time() - entry.created_at > _SUBMIT_SECONDS
    return Entered.UNKNOWN if late else entry.state


def _when(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.created_at).astimezone().strftime("%Y-%m-%d %H:%M")

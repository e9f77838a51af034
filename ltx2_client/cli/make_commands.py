"""`ltx2 run` and `ltx2 submit`: a job out of flags."""

import argparse
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ltx2_api.fields import MAX_SEED
from ltx2_api.job import without_effect

from ..client import Client, Handle
from ..errors import InvalidJob, JournalUnwritable
from ..journal import Journal
from ..models import Policy
from ..submitting import check
from .exits import Exit
from .flags import add_job_flags, job_fields
from .following_job import bring, client_for, fetch, interrupts_held, require_free
from .new_command import NewCommand
from .output import Output

_HOUR = 3600.0


def add(new: NewCommand) -> None:
    """Add the sub-commands."""
    run = new("run", "make a video and fetch it")
    submit = new("submit", "submit a job and print its id")
    for parser in (run, submit):
        add_job_flags(parser)
        group = parser.add_argument_group("sending it")
        group.add_argument("--webhook", metavar="URL", help="where RunPod posts the finished job")
        group.add_argument("--ttl", type=float, metavar="HOURS", help="the job's time to live (default 6)")
        group.add_argument("--out", type=Path, metavar="PATH", help="file or folder (default: JOB_ID.mp4)")
    group = run.add_argument_group("waiting for it")
    group.add_argument("--timeout", type=float, metavar="S", help="seconds to wait; then the job goes on")
    group.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    group.add_argument("--poster", action="store_true", help="fetch the poster too")
    group.add_argument(
        "--preview-first", action="store_true", help="make a free preview with the same seed, then ask"
    )
    group.add_argument("--yes", "-y", action="store_true", help="ask nothing")
    run.set_defaults(command=run_command)
    submit.set_defaults(command=submit_command)


def run_command(arguments: argparse.Namespace, output: Output) -> Exit:
    """Submit, follow, fetch."""
    fields = _with_prompt(job_fields(arguments))
    price = check(fields).price
    require_free(arguments.out, overwrite=arguments.overwrite)
    if arguments.preview_first and not arguments.yes and not sys.stdin.isatty():
        raise InvalidJob("--preview-first asks before it goes on: say --yes where nobody can answer.")
    with client_for(arguments.endpoint) as client:
        if arguments.preview_first:
            fields.setdefault("seed", secrets.randbelow(MAX_SEED + 1))
            if not _previewed(client, fields, arguments, output):
                return Exit.OK
        output.say(f"{price.credits} credits" if price.credits else "free")
        handle = _submitted(client, fields, arguments)
        return bring(
            handle,
            output,
            arguments.out,
            timeout=arguments.timeout,
            overwrite=arguments.overwrite,
            poster=arguments.poster,
            endpoint=arguments.endpoint,
        )


def submit_command(arguments: argparse.Namespace, output: Output) -> Exit:
    """Submit, and leave."""
    fields = _with_prompt(job_fields(arguments))
    price = check(fields).price
    with client_for(arguments.endpoint) as client:
        handle = _submitted(client, fields, arguments)
    output.result({"job_id": handle.id, "credits": price.credits}, handle.id)
    return Exit.OK


def _submitted(client: Client, fields: dict[str, Any], arguments: argparse.Namespace) -> Handle:
    policy = None if arguments.ttl is None else Policy(ttl=arguments.ttl * _HOUR)
    with interrupts_held():
        handle = client.submit(fields, webhook=arguments.webhook, policy=policy)
    if arguments.out is not None:
        with suppress(JournalUnwritable):  # the id is written down; only where its video should go is not
            Journal.default().aim(client.endpoint, handle.id, arguments.out.absolute())
    return handle


def _previewed(client: Client, fields: dict[str, Any], arguments: argparse.Namespace, output: Output) -> bool:
    """Make the preview of a job, and ask whether to go on."""
    idle = without_effect(check(fields).job)
    small = {name: value for name, value in fields.items() if name not in idle}
    with interrupts_held():
        handle = client.submit(small | {"preview": True})
    video = handle.wait(arguments.timeout, on=output.listen)
    place = arguments.out
    if place is not None and not place.is_dir():
        place = place.with_name(f"{place.stem}.preview.mp4")
    target = fetch(video, output, place, overwrite=True, poster=False)
    output.stop_bars()
    output.say(f"preview: {target}")
    if arguments.yes:
        return True
    print("Make the video? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _with_prompt(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("prompt") == "-":
        fields["prompt"] = sys.stdin.read().strip()
    return fields

"""`ltx2 price|plan|health`: questions that cost nothing."""

import argparse
import sys
from typing import Any

from ..models import Health
from ..submitting import check
from .exits import Exit
from .flags import add_job_flags, job_fields
from .following_job import client_for
from .new_command import NewCommand
from .output import Output, plan_text


def add(new: NewCommand) -> None:
    """Add the sub-commands."""
    price = new("price", "say what a job costs; nobody is asked")
    plan = new("plan", "ask a worker what it would do for a job")
    for parser in (price, plan):
        add_job_flags(parser)
    plan.add_argument("--timeout", type=float, default=300.0, metavar="S", help="seconds to wait")
    health = new("health", "say what the endpoint has to do")
    price.set_defaults(command=_price)
    plan.set_defaults(command=_plan)
    health.set_defaults(command=_health)


def _price(arguments: argparse.Namespace, output: Output) -> Exit:
    price = check(_fields(arguments)).price
    for warning in price.warnings:
        output.say(warning)
    output.result({"credits": price.credits, "warnings": list(price.warnings)}, f"{price.credits} credits")
    return Exit.OK


def _plan(arguments: argparse.Namespace, output: Output) -> Exit:
    with client_for(arguments.endpoint) as client:
        plan = client.plan(_fields(arguments), timeout=arguments.timeout)
    output.result(plan.model_dump(mode="json"), plan_text(plan))
    return Exit.OK


def _health(arguments: argparse.Namespace, output: Output) -> Exit:
    with client_for(arguments.endpoint) as client:
        health = client.health()
    output.result(health.model_dump(mode="json"), _text(health))
    return Exit.OK


def _text(health: Health) -> str:
    jobs = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in health.jobs.model_dump().items())
    workers = ", ".join(f"{count} {name}" for name, count in health.workers.model_dump().items())
    return f"jobs: {jobs}\nworkers: {workers}"


def _fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The job's fields; a price can be asked for without a prompt."""
    fields = job_fields(arguments)
    if fields.get("prompt") == "-":
        fields["prompt"] = sys.stdin.read().strip()
    return {"prompt": "-"} | fields

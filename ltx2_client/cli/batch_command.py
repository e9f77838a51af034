"""`ltx2 batch`: many scenes, priced and confirmed first; the same command again makes what is missing."""

import argparse
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..batch import TakeResult
from ..errors import InvalidJob
from ..scenes import Scene, read_scenes
from ..standing import BatchPlan
from .exits import Exit, exit_for
from .following_job import client_for
from .local_files import read_in
from .new_command import NewCommand
from .output import Output, error_json


def add(new: NewCommand) -> None:
    """Add the sub-command."""
    parser = new("batch", "make many scenes; again, it makes only what is missing")
    parser.add_argument("scenes", type=Path, metavar="SCENES.json", help="the scenes, see docs/client.md")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: the file's name without .json")
    parser.add_argument(
        "--at-once", type=int, default=4, metavar="N", help="jobs in hand at a time (default 4)"
    )
    parser.add_argument("--max-credits", type=int, metavar="N", help="refuse a batch that costs more")
    parser.add_argument("--plan", action="store_true", help="say what would be made and paid, and stop")
    parser.add_argument(
        "--resubmit",
        action="store_true",
        help="also make what may have been submitted already; it may cost a second time",
    )
    parser.add_argument("--yes", "-y", action="store_true", help="ask nothing")
    parser.set_defaults(command=_batch)


def _batch(arguments: argparse.Namespace, output: Output) -> Exit:
    scenes = _read(arguments.scenes)
    out = arguments.out or arguments.scenes.with_suffix("")
    with client_for(arguments.endpoint) as client:
        plan = client.plan_batch(scenes, out=out, resubmit=arguments.resubmit)
        _within(plan, arguments.max_credits)
        if arguments.plan:
            output.result(_plan_json(plan), _plan_text(plan))
            return Exit.OK
        if plan.missing and not arguments.yes and not _confirmed(plan):
            return Exit.OVER_BUDGET
        output.say(_plan_text(plan))
        try:
            results = client.batch(
                scenes,
                out=out,
                at_once=arguments.at_once,
                max_credits=plan.credits,
                resubmit=arguments.resubmit,
                on=output.listen,
            )
        except KeyboardInterrupt:
            output.stop_bars()
            output.say(f"\nWhat is submitted goes on. Come back to it with:\n  {_again(arguments)}")
            return Exit.DETACHED
    output.result({"folder": str(out), "takes": [_json(result) for result in results]}, _text(results, out))
    failed = [result.error for result in results if result.error is not None]
    if not failed:
        return Exit.OK
    return exit_for(failed[0]) if len(failed) == len(results) == 1 else Exit.INCOMPLETE


def _read(path: Path) -> list[Scene]:
    try:
        scenes = read_scenes(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidJob(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    # Files that a scene names lie beside the scenes.
    return [
        scene.model_copy(update={"job": read_in(scene.job, path.parent, f"{scene.name}: ")})
        for scene in scenes
    ]


def _within(plan: BatchPlan, most: int | None) -> None:
    if most is not None and plan.credits > most:
        raise InvalidJob(
            f"What is missing of the batch costs {plan.credits} credits, more than the {most} allowed.",
            code="over_budget",
        )


def _confirmed(plan: BatchPlan) -> bool:
    if not sys.stdin.isatty():
        raise InvalidJob(
            f"{len(plan.missing)} videos for {plan.credits} credits: say --yes where nobody can answer."
        )
    print(f"{_plan_text(plan)}\nGo on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _plan_text(plan: BatchPlan) -> str:
    there = len(plan.takes) - len(plan.missing) - len(plan.resumed) - len(plan.doubtful)
    parts = [f"{len(plan.missing)} to make for {plan.credits} credits"]
    parts += [f"{there} there"] if there else []
    parts += [f"{len(plan.resumed)} submitted already"] if plan.resumed else []
    parts += [f"{len(plan.doubtful)} in doubt (left alone without --resubmit)"] if plan.doubtful else []
    return ", ".join(parts)


def _plan_json(plan: BatchPlan) -> dict[str, Any]:
    def names(kind: str) -> list[str]:
        return [take.name for take in getattr(plan, kind)]

    return {kind: names(kind) for kind in ("takes", "missing", "resumed", "doubtful")} | {
        "credits": plan.credits
    }


def _json(result: TakeResult) -> dict[str, Any]:
    told = {key: value for key, value in asdict(result).items() if key not in {"error", "file"}}
    file = str(result.file) if result.file else None
    return told | {"file": file, "error": error_json(result.error) if result.error else None}


def _text(results: list[TakeResult], out: Path) -> str:
    there = sum(result.error is None for result in results)
    failed = [f"{result.name}: {result.error}" for result in results if result.error is not None]
    return "\n".join([*failed, f"{there} of {len(results)} in {out}"])


def _again(arguments: argparse.Namespace) -> str:
    parts = ["ltx2", "batch", str(arguments.scenes)]
    parts += ["--out", str(arguments.out)] if arguments.out else []
    parts += ["--endpoint", arguments.endpoint] if arguments.endpoint else []
    return shlex.join([*parts, "--at-once", str(arguments.at_once)])

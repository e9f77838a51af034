"""The command `ltx2`: its sub-commands, and how each ends."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from .. import __version__
from ..errors import Ltx2Error
from . import about_commands, batch_command, film_command, job_commands, make_commands
from .exits import Exit, exit_for
from .output import Output

#: Each has `add(new)`, which makes its sub-commands; a further one is a further module.
MODULES: tuple[ModuleType, ...] = (make_commands, job_commands, batch_command, film_command, about_commands)

Command = Callable[[argparse.Namespace, Output], Exit]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parsed = _parser().parse_args(arguments)
    as_json = parsed.format == "json" or (parsed.format == "auto" and not sys.stdout.isatty())
    with Output(as_json=as_json, events=parsed.events) as output:
        try:
            command: Command = parsed.command
            return command(parsed, output)
        except Ltx2Error as error:
            output.error(error)
            return exit_for(error)
        except KeyboardInterrupt:
            return Exit.DETACHED
        except BrokenPipeError:
            # Whoever read the output has gone; nothing may be written at the interpreter's end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.LOCAL


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--endpoint", metavar="ID", help="the endpoint (default: LTX2_ENDPOINT_ID)")
    common.add_argument("--format", choices=["auto", "text", "json"], default="auto", help="of the output")
    common.add_argument("--events", action="store_true", help="every event as JSON on standard error")
    parser = argparse.ArgumentParser(
        prog="ltx2",
        description="Make videos with sound on your RunPod endpoint. "
        "Set LTX2_ENDPOINT_ID and RUNPOD_API_KEY in the environment.",
    )
    parser.add_argument("--version", action="version", version=f"ltx2-client {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def new(name: str, about: str) -> argparse.ArgumentParser:
        # No abbreviations: a flag of tomorrow must not change what a script of today means.
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=about, description=about, parents=[common], allow_abbrev=False
        )
        return made

    for module in MODULES:
        module.add(new)
    return parser

"""The commands: `run` makes a video, `serve` answers HTTP, `studio` shows the page.

`test` checks everything, `bench` measures it, `fleet` simulates an endpoint of many workers. `lock` writes
the lists of packages anew after a change of requirements; `audit` looks through them.
"""

import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import audit, browser, locks, weights
from local.environments import AUDIT, ENGINE, HANDLER, TEST_ENGINE, TESTS, Environment
from local.places import HOME, ROOT
from local.problem import Problem
from local.setup import alone, set_up, set_up_only
from local.steps import Steps
from local.weights import TINY_WEIGHTS, Weights
from local.work_folder import take_work_folder

#: Settings of another deployment must not reach a test: it might write into a real bucket.
_FOREIGN = ("LTX2_", "BUCKET_", "RUNPOD_", "AWS_")

_CHECKS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))
#: Three test files at a time, each whole in one process: most tests wait for a worker, an engine or a server;
#: two at a time leave a third of two cores unused, and a small machine has the memory for three engines.
#: A `-n` given on the command line wins.
_SIDE_BY_SIDE = ("--numprocesses=3", "--dist=loadfile")


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; what goes wrong on the way is one sentence."""
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.command not in {_test, _bench, _fleet, _lock}:
        _parser().error(f"unknown: {shlex.join(rest)}")
    try:
        return int(options.command(options, rest))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        where = error.filename or HOME
        print(f"{where}: {error.strerror or error}: put that right and run it again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the next time it goes on with what was not finished.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m local", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    comfyui = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    comfyui.add_argument(
        "--comfyui", type=Path, metavar="DIR", help="an existing ComfyUI to use (or LTX2_COMFYUI_DIR)"
    )
    models = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    models.add_argument(
        "--models", type=Path, metavar="DIR", help="real weights, for a GPU (or LTX2_MODELS_DIRS)"
    )
    run = commands.add_parser(
        "run", parents=[comfyui, models], allow_abbrev=False, help="set up, then make the video of a job"
    )
    run.add_argument("--input", type=Path, metavar="FILE", help="the job; test_input.json if left out")
    run.set_defaults(command=_run)
    serve = commands.add_parser(
        "serve", parents=[comfyui, models], allow_abbrev=False, help="set up, then serve RunPod's API here"
    )
    serve.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 8000 if left out")
    serve.add_argument("--key", help="the API key that callers must show; none if left out")
    serve.set_defaults(command=_serve)
    studio = commands.add_parser(
        "studio",
        parents=[comfyui, models],
        allow_abbrev=False,
        help="set up, then serve the page AI Video with everything behind it",
    )
    studio.add_argument("--port", type=int, default=8080, help="on 127.0.0.1; 8080 if left out")
    studio.add_argument("--credits", type=int, default=1000, help="on your account; 1000 if left out")
    studio.set_defaults(command=_studio)
    test = commands.add_parser(
        "test",
        parents=[comfyui],
        allow_abbrev=False,
        help="set up, then check and test; takes pytest's options",
    )
    test.set_defaults(command=_test)
    bench = commands.add_parser(
        "bench",
        parents=[comfyui],
        allow_abbrev=False,
        help="set up, then measure what the worker costs; takes bench's options",
    )
    bench.set_defaults(command=_bench)
    fleet = commands.add_parser(
        "fleet",
        add_help=False,
        help="simulate an endpoint of many workers: waits, cost, what to change; takes bench.fleet's options",
    )
    fleet.set_defaults(command=_fleet)
    audited = commands.add_parser(
        "audit",
        allow_abbrev=False,
        help="list what is in the image, and ask for its known faults (needs the network)",
    )
    audited.add_argument("--output", type=Path, default=ROOT / "output", metavar="DIR", help="for the lists")
    audited.set_defaults(command=_audit)
    lock = commands.add_parser(
        "lock",
        allow_abbrev=False,
        help="write requirements/*.lock anew; takes `uv pip compile` options such as --upgrade",
    )
    lock.set_defaults(command=_lock)
    return parser


def _run(options: argparse.Namespace, _: Sequence[str]) -> int:
    job = read_job(options.input) if options.input else None
    environment = _ready_to_handle(options)
    os.chdir(stage_job(job, Path(environment["LTX2_WORK_DIR"])) if job else ROOT)
    return _become(HANDLER.python, [ROOT / "handler.py"], environment)


def _serve(options: argparse.Namespace, _: Sequence[str]) -> int:
    check_port(options.port)
    environment = _ready_to_handle(options)
    check_port(options.port)
    os.chdir(ROOT)
    key = ["--key", options.key] if options.key else []
    return _become(HANDLER.python, ["-m", "local.runpod", "--port", str(options.port), *key], environment)


def _studio(options: argparse.Namespace, _: Sequence[str]) -> int:
    check_port(options.port)
    environment = _ready_to_handle(options, TESTS)
    check_port(options.port)
    os.chdir(ROOT)
    asked = ["--port", str(options.port), "--credits", str(options.credits)]
    return _become(TESTS.python, ["-m", "local.studio", *asked], environment)


def _test(options: argparse.Namespace, pytest_arguments: Sequence[str]) -> int:
    # One thread an engine: OpenMP threads spin while they wait, and those of two engines fill two cores.
    environment = {"OMP_NUM_THREADS": "1"} | _ready_to_test(options) | _browser_for_tests()
    failed = []
    for check in _CHECKS:
        print(f"$ {' '.join(check)}", flush=True)
        if _tool(check, environment):
            failed.append(" ".join(check))
    for check_failed in failed:
        print(f"{check_failed} found faults (above); the tests run all the same.", flush=True)
    print(f"$ pytest {shlex.join(pytest_arguments)}".rstrip(), flush=True)
    return _tool(("pytest", *_SIDE_BY_SIDE, *pytest_arguments), environment) or bool(failed)


def _browser_for_tests() -> dict[str, str]:
    """Bring a browser; without one the tests of the page fail, and the others run all the same."""
    if not browser.find():
        try:
            with alone():
                browser.bring(Steps())
        except Problem as problem:
            print(problem, file=sys.stderr)
    named = os.environ.get(browser.VARIABLE)
    return {browser.VARIABLE: named} if named else {}


def _tool(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    command = [str(TESTS.python), "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _bench(options: argparse.Namespace, bench_arguments: Sequence[str]) -> int:
    environment = _ready_to_test(options)
    os.chdir(ROOT)
    return _become(TESTS.python, ["-m", "bench", *bench_arguments], environment)


def _fleet(_: argparse.Namespace, fleet_arguments: Sequence[str]) -> int:
    set_up_only(TESTS)
    os.chdir(ROOT)
    return _become(TESTS.python, ["-m", "bench.fleet", *fleet_arguments], os.environ)


def _audit(options: argparse.Namespace, _: Sequence[str]) -> int:
    set_up_only(AUDIT)
    return audit.audit(options.output.absolute())


def _lock(_: argparse.Namespace, uv_options: Sequence[str]) -> int:
    locks.write(uv_options)
    return 0


def _ready_to_test(options: argparse.Namespace) -> dict[str, str]:
    """Set up for tests, and return the environment variables to start them with."""
    source = set_up(TESTS, TEST_ENGINE, _named_comfyui(options), tiny=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    return environment | engine_environment(source, TEST_ENGINE.python, TINY_WEIGHTS)


def _ready_to_handle(options: argparse.Namespace, own: Environment = HANDLER) -> dict[str, str]:
    """Set up for the handler, and return the environment variables to start it with."""
    listed = [Path(part) for part in os.environ.get("LTX2_MODELS_DIRS", "").split(":") if part]
    models = [options.models] if options.models else listed
    chosen = weights.choose(tuple(models), insist=bool(options.models))
    is_tiny = chosen is TINY_WEIGHTS
    source = set_up(own, ENGINE, _named_comfyui(options), tiny=is_tiny)
    if is_tiny:
        print("Tiny weights on the CPU: a video of coloured mist. With a GPU, --models DIR makes real ones.")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RUNPOD_")}
    environment.pop("LTX2_ENGINE_NODES_DIR", None)
    environment.setdefault("LTX2_SPOOL_DIR", str(HOME / "work-spool"))
    folders = {"LTX2_OUTPUT_DIR": str(ROOT / "output"), "LTX2_WORK_DIR": str(take_work_folder(HOME / "work"))}
    return environment | engine_environment(source, ENGINE.python, chosen) | folders


def engine_environment(source: Path, engine_python: Path, chosen: Weights) -> dict[str, str]:
    """The settings (ltx2_worker/settings) that make the worker use the engine that was set up here."""
    environment = {
        "LTX2_COMFYUI_DIR": str(source),
        "LTX2_ENGINE_PYTHON": str(engine_python),
        "LTX2_ENGINE_DEVICE": chosen.device,
        "LTX2_MODELS_DIRS": ":".join(map(str, chosen.models)),
    }
    if chosen.nodes:
        environment["LTX2_ENGINE_NODES_DIR"] = str(chosen.nodes)
    return environment


def read_job(file: Path) -> str:
    """Return a file's text, which is a job in JSON.

    Raises:
        Problem: the file is not there, or is no job.
    """
    try:
        text = file.read_text(encoding="utf-8")
        job = json.loads(text)
    except OSError as error:
        raise Problem(f"{file} cannot be read ({error.strerror}): name a JSON file with a job.") from None
    except ValueError as error:
        raise Problem(f"{file} is not JSON: {error}.") from None
    if not isinstance(job, dict) or not isinstance(job.get("input"), dict):
        raise Problem(f'{file} is no job: it must look like {{"input": {{"prompt": "..."}}}}.')
    return text


def stage_job(job: str, folder: Path) -> Path:
    """Put a job where the SDK looks for it, and return that folder.

    The SDK also takes a job as an argument, but Linux allows an argument no more than 128 KiB: too little for
    an image.
    """
    (folder / "test_input.json").write_text(job, encoding="utf-8")
    return folder


def check_port(port: int) -> None:
    """Refuse a port that cannot be listened on.

    Raises:
        Problem: it is taken, not allowed, or no port at all.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "out of range"
            raise Problem(f"Port {port} cannot be used ({why}): name another one with --port.") from None


def _named_comfyui(options: argparse.Namespace) -> Path | None:
    named = options.comfyui or os.environ.get("LTX2_COMFYUI_DIR")
    return Path(named) if named else None


def _become(python: Path, arguments: Sequence[str | Path], environment: Mapping[str, str]) -> int:
    """Hand terminal, signals and exit status over to the program."""
    sys.stdout.flush()
    os.execve(python, [str(part) for part in (python, *arguments)], environment)  # noqa: S606 - no shell wanted

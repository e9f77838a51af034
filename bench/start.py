"""How long the handler takes until it asks for jobs, and the engine until it answers."""

import os
import subprocess
import sys
import time
from pathlib import Path

import requests

from bench.lab import HANDLER, ROOT, scratch
from bench.table import Row, spread
from local.runpod import Emulator, Route
from ltx2_worker.engine import EngineOptions
from ltx2_worker.engine.process import free_port
from ltx2_worker.settings import Settings
from tests.platform.worker_process import WorkerProcess

REPEATS = 5
BOOTS = 3
BOOT_SECONDS = 180.0

#: As in the image, which holds everything compiled; whoever measures may have switched that off.
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


def rows() -> list[Row]:
    """Measure the handler without an engine, then engines alone."""
    cold = [_handler_seconds() for _ in range(REPEATS + 1)][1:]  # the first one writes bytecode
    # Loads of the CPU and of the machine's other work apart: what the imports themselves compute.
    imports = [_import_cpu_seconds() for _ in range(REPEATS)]
    with_flags, without = zip(*(_boot_pair() for _ in range(BOOTS)), strict=True)
    return [
        Row(
            "handler, start of the process to its first request for jobs",
            spread(cold, "s", digits=2),
            "under 1 s",
        ),
        Row("... processor time of its imports", spread(imports, "s", digits=2)),
        Row("engine boot with the worker's flags", spread(with_flags, "s", digits=1)),
        Row("engine boot with ComfyUI's defaults", spread(without, "s", digits=1)),
    ]


def _handler_seconds() -> float:
    with scratch() as home, Emulator() as runpod:
        silent = home / "python"
        silent.write_text("#!/bin/sh\nexec sleep 1000\n")
        silent.chmod(0o700)
        own = {
            "LTX2_ENGINE_PYTHON": str(silent),
            "LTX2_WORK_DIR": str(home / "work"),
            "LTX2_OUTPUT_DIR": str(home / "videos"),
        } | BYTECODE
        begun = time.monotonic()
        with WorkerProcess.python(HANDLER, runpod.environment() | own, home):
            runpod.wait_for(lambda: runpod.seen(Route.TAKE_BATCH), "the worker asks for jobs", 60)
            return runpod.seen(Route.TAKE_BATCH)[0].at - begun


def _import_cpu_seconds() -> float:
    script = "import time, handler; print(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | BYTECODE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def _boot_pair() -> tuple[float, float]:
    with scratch() as folder:
        options = EngineOptions.from_settings(Settings(work_dir=folder))
        options.prepare()
        port = free_port()
        chosen = _boot_seconds(options, options.flags(port), port)
        port = free_port()
        folders = [
            "--user-directory",
            str(options.work_dir / "user"),
            "--temp-directory",
            str(options.work_dir / "temp"),
        ]
        folders += [
            "--input-directory",
            str(options.input_dir),
            "--output-directory",
            str(options.output_dir),
        ]
        device = ["--cpu"] if options.device == "cpu" else []
        default = _boot_seconds(options, ["--port", str(port), *folders, *device], port)
    return chosen, default


def _boot_seconds(options: EngineOptions, flags: list[str], port: int) -> float:
    begun = time.monotonic()
    with Path(options.work_dir, "boot.log").open("w") as log:
        process = subprocess.Popen(
            [options.python, "main.py", *flags],
            cwd=options.comfyui_dir,
            env=options.environment(),
            stdout=log,
            stderr=log,
        )
    try:
        while time.monotonic() - begun < BOOT_SECONDS and process.poll() is None:
            try:
                if requests.get(f"http://127.0.0.1:{port}/system_stats", timeout=5).ok:
                    return time.monotonic() - begun
            except requests.RequestException:
                time.sleep(0.02)
        raise SystemExit(f"The engine did not start: {Path(log.name).read_text()[-2000:]}")
    finally:
        process.kill()
        process.wait(30)

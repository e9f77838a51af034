"""What videos cost on this machine's GPU: seconds per stage, memory, loading, switching. Needs no network.

    python -m bench.gpu --weights DIR     writes full-size random weights into DIR first (about 55 GB)
    python -m bench.gpu --weights DIR --cases 'fast-720p-*' --flags='--fast fp8_matrix_mult'
    python -m bench.gpu --smoke           previews with the weights that LTX2_MODELS_DIRS names, on a CPU too

Runs in the handler's environment, with the settings that name the engine: LTX2_COMFYUI_DIR and
LTX2_ENGINE_PYTHON; for tiny weights LTX2_MODELS_DIRS, LTX2_ENGINE_NODES_DIR and LTX2_ENGINE_DEVICE=cpu too.
The engine starts with the worker's own flags and runs the worker's own graphs. The first run of a recipe
reads its weights, so every case is run twice, with another prompt; the second run counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench import clock
from bench.graphs import in_other_recipes
from local.places import ROOT
from ltx2_api.errors import WorkerError
from ltx2_api.job import JobInput
from ltx2_api.progress import Stage
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Encoder, EncoderFiles, Engine, EngineOptions
from ltx2_worker.plan import make_plan
from ltx2_worker.progress import ORDER
from ltx2_worker.settings import Settings
from ltx2_worker.workflow.build import BuiltGraph, Output, build

PROMPT = "A lighthouse keeper climbs the stairs while a storm breaks over the bay."
BOOT_SECONDS = 600.0
CASE_SECONDS = 3000.0

HEAD = (
    "| case | engine s | s per s of video | first run s | peak GPU GB | stages, s |\n"
    "|---|---|---|---|---|---|"
)

SIZES: dict[str, dict[str, Any]] = {
    f"{resolution}-{duration}s": {"resolution": resolution, "duration": duration}
    for resolution in ("720p", "1080p")
    for duration in (10, 20)
}
VARIANTS: dict[str, dict[str, Any]] = {
    "": {},
    "-one-stage": {"spatial_upscaler": False},
    "-48fps": {"temporal_upscaler": True},
    "-detailer": {"detailer": True},
}


@dataclass(frozen=True)
class Result:
    """One case: seconds of the engine, in all and per stage, and of the first run; memory in gigabytes."""

    case: str
    seconds: float
    first_seconds: float
    per_video_second: float
    stages: Mapping[str, float]
    gpu_gigabytes: float


def cases(*, smoke: bool) -> dict[str, dict[str, Any]]:
    """Jobs by name; fast and pro take turns, so that `first_seconds` has the switch between them."""
    if smoke:
        sizes: dict[str, dict[str, Any]] = {"preview": {"preview": True}}
    else:
        sizes = SIZES
    return {
        f"{quality}-{size}{variant}": {"quality": quality, **job, **option}
        for size, job in sizes.items()
        for variant, option in VARIANTS.items()
        for quality in ("fast", "pro")
    }


def main() -> int:
    """Measure, print the table, and write it as JSON too; a case that fails does not end the others."""
    options = _parse()
    wanted = {name: job for name, job in cases(smoke=options.smoke).items() if fnmatch(name, options.cases)}
    if not wanted:
        sys.exit(f"No case is called {options.cases}; there are {', '.join(cases(smoke=options.smoke))}.")
    settings = Settings()
    models = settings.models_dirs
    if options.weights:
        _write_weights(settings, options.weights)
        models = (options.weights,)
    results: list[Result] = []
    with _engine(settings, models, options.flags) as (engine, clock_file, boot):
        print(f"engine {engine.version} ready after {boot:.1f} s; {_device(settings)}\n")
        print(HEAD)
        for name, job in wanted.items():
            try:
                results.append(_measure(engine, clock_file, name, job))
            except WorkerError as error:
                print(f"| {name} | {error.code}: {error.message} |", flush=True)
                continue
            print(_line(results[-1]), flush=True)
            if options.out:
                figures = [asdict(result) for result in results]
                options.out.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0 if len(results) == len(wanted) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description="What videos cost on a GPU.")
    parser.add_argument(
        "--weights", type=Path, help="folder of the full-size random weights; written if absent"
    )
    parser.add_argument("--smoke", action="store_true", help="previews only")
    parser.add_argument("--cases", default="*", help="a pattern of names, such as 'pro-1080p-*'")
    parser.add_argument("--flags", default="", help="further flags for ComfyUI, as in --flags='--highvram'")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    if not (options.weights or options.smoke):
        parser.error("name a folder with --weights, or try it out with --smoke")
    return options


def _write_weights(settings: Settings, folder: Path) -> None:
    command = [str(settings.engine_python), "-m", "bench.full_size", str(settings.comfyui_dir), str(folder)]
    begun = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True)
    print(f"weights ready after {time.monotonic() - begun:.0f} s")


@contextmanager
def _engine(settings: Settings, models: tuple[Path, ...], flags: str) -> Iterator[tuple[Engine, Path, float]]:
    with tempfile.TemporaryDirectory(prefix="ltx2-bench-") as name:
        folder = Path(name)
        clock_file = folder / "clock.jsonl"
        os.environ["BENCH_CLOCK"] = str(clock_file)
        options = EngineOptions.from_settings(settings)
        options = replace(
            options,
            work_dir=folder / "engine",
            models_dirs=models,
            nodes_dirs=(*options.nodes_dirs, clock.NODES),
            extra_args=(*options.extra_args, *flags.split()),
            start_timeout=BOOT_SECONDS,
        )
        engine = Engine(options)
        begun = time.monotonic()
        engine.start()
        try:
            engine.wait_ready(Deadline(BOOT_SECONDS))
            yield engine, clock_file, time.monotonic() - begun
        finally:
            engine.stop()


def _measure(engine: Engine, clock_file: Path, name: str, job: dict[str, Any]) -> Result:
    times = []
    for seed in (1, 2):
        address, video = f"bench-{uuid.uuid4().hex}", clock_file.with_name(f"{name}-{seed}.mp4")
        graph, seconds = _graph(job | {"prompt": f"{PROMPT} Take {seed}.", "seed": seed}, address)
        deadline = Deadline(CASE_SECONDS)
        with Encoder(engine.options, address, EncoderFiles(video)) as encoder:
            engine.run(
                graph.prompt,
                ticket=engine.take_ticket(),
                job_key=f"{name}-{seed}",
                deadline=deadline,
                is_made=encoder.has_all_frames,
            )
            encoder.wait(deadline, lambda _: None)
        video.unlink()
        times.append(clock.read(clock_file)[-1])
    first, second = times
    stages: dict[Stage, float] = {}
    for node, taken in second.node_seconds().items():
        if (stage := graph.stage_of.get(node)) is not None:
            stages[stage] = stages.get(stage, 0.0) + taken
    return Result(
        case=name,
        seconds=second.seconds,
        first_seconds=first.seconds,
        per_video_second=second.seconds / seconds,
        stages={stage.value: stages[stage] for stage in sorted(stages, key=ORDER.__getitem__)},
        gpu_gigabytes=second.gpu_bytes / 1e9,
    )


def _graph(raw: dict[str, Any], address: str) -> tuple[BuiltGraph, float]:
    """The worker's graph of a job, and the seconds of its video."""
    job, _ = JobInput.parse(raw)
    plan = make_plan(job, installed=lambda _: True, default_camera="static")
    output = Output(Settings().video_crf, address)
    graph = build(plan, {}, output, resident=in_other_recipes(plan))
    return graph, plan.seconds


def _line(result: Result) -> str:
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.stages.items())
    figures = f"{result.seconds:.1f} | {result.per_video_second:.2f} | {result.first_seconds:.1f}"
    return f"| {result.case} | {figures} | {result.gpu_gigabytes:.1f} | {stages} |"


def _device(settings: Settings) -> str:
    if settings.engine_device == "cpu":
        return "no GPU: times say nothing about one"
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())

"""The worker beside another handler for ComfyUI, runpod-workers/worker-comfyui, on one and the same engine.

    BENCH_WORKER_COMFYUI=CHECKOUT python -m bench beside

Both run on the SDK's own loop, each with a queue of its own, and take turns; both upload into one store. The
other one gets the same graphs with ComfyUI's own nodes at their end, and both encode with the same CRF.
Converting, encoding and saving are a part of its prompts, and happen beside the engine here: so time that is
the engine's there may be the worker's here, and no figure below counts it on one side only.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.clock import PromptTimes
from bench.graphs import in_other_recipes
from bench.handlers import __file__ as handlers
from bench.lab import JOB_SECONDS, PREVIEW, Lab, bucket_environment, running_worker, scratch, store
from bench.table import Row, spread
from local.runpod import Emulator
from ltx2_api.job import JobInput
from ltx2_worker.plan import make_plan
from ltx2_worker.workflow import Output, build
from tests.platform.worker_process import WorkerProcess
from tests.storage.s3_server import client

CHECKOUT = "BENCH_WORKER_COMFYUI"
HANDLERS = Path(handlers)
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "a preview": (PREVIEW, 8),
    "720p, 10 s": ({"prompt": PREVIEW["prompt"], "camera": "none"}, 2),
}
#: What ComfyUI's SaveVideo encodes with: x264's own default.
CRF = 23.0
#: The real decoder's last block holds four frames of 1080p, of 128 channels and two bytes each, in a chunk of
#: ComfyUI's size (128 MiB); the tiny one has 4 channels of four bytes. Its chunks are to hold as many frames.
CHUNK_BYTES = 4 * 4 * 4 * 1920 * 1088 // 16


@dataclass(frozen=True)
class Taken:
    """Seconds of one job.

    Attributes:
        whole: from the call of the handler until the platform has the answer.
        after_sampling: of these, since the last sampling node had ended.
        engine: for how long the engine could begin no other prompt.
        handler: of `whole`, what is neither the prompt's time nor the encoder's, which runs on beside it.
    """

    whole: float
    after_sampling: float
    engine: float
    handler: float


def rows() -> list[Row]:
    """Measure both, job after job by turns."""
    checkout = os.environ.get(CHECKOUT)
    if not checkout:
        return [Row("beside worker-comfyui", f"not measured: {CHECKOUT} names no checkout")]
    with store() as url, scratch() as home:
        client(url).create_bucket(Bucket=time.strftime("%m-%y"))  # as runpod's SDK names it
        settings = {
            "LTX2_VIDEO_CRF": str(CRF),
            "LTX2_LIVE_PREVIEWS": "false",  # the other one shows nothing of the emerging picture
            "BENCH_CHUNK_BYTES": str(CHUNK_BYTES),
            "BENCH_CALLS": str(home / "calls"),
        }
        with running_worker(url, HANDLERS, **settings) as lab, _other(lab, url, checkout, home) as other:
            sides = _Sides(lab, other, home / "calls")
            return [row for name in CASES for row in _case(sides, name)]


@contextmanager
def _other(lab: Lab, url: str, checkout: str, home: Path) -> Iterator[Emulator]:
    """The other handler on the SDK's loop, at the worker's engine; its queue."""
    command = lab.worker.descendants("main.py")[-1].cmdline()
    port = command[command.index("--port") + 1]
    with Emulator() as runpod:
        environment = runpod.environment() | bucket_environment(url) | {"BENCH_CALLS": str(home / "calls")}
        with WorkerProcess([sys.executable, str(HANDLERS), checkout, port], environment, home):
            yield runpod


@dataclass
class _Sides:
    """The worker, the other one's queue, and the file in which both write down their handlers' calls."""

    lab: Lab
    other: Emulator
    calls: Path

    def ours(self, job: dict[str, Any], samplers: set[str]) -> Taken:
        """Do a job here."""
        times = self.lab.run(job)
        stages = dict(times.reply["timings"])
        del stages["delivering"]
        # The stages follow upon each other from the job's acceptance on, some milliseconds after the call.
        called = self._called(times.reply["job_id"])
        return _taken(called, times.answered, times.prompt, samplers, encoded=called + sum(stages.values()))

    def theirs(self, graph: dict[str, Any], samplers: set[str]) -> Taken:
        """Run a graph there."""
        job = self.other.submit({"workflow": graph})
        reply = self.other.wait_result(job, JOB_SECONDS)
        if "images" not in reply.get("output", {}):
            raise SystemExit(f"A job of the other handler failed: {reply}")
        return _taken(self._called(job.id), job.results[0].at, self.lab.next_prompt(), samplers)

    def _called(self, job_id: str) -> float:
        calls = [json.loads(line) for line in self.calls.read_text(encoding="utf-8").splitlines()]
        (called,) = (float(call["at"]) for call in calls if call["job"] == job_id)
        return called


def _taken(
    called: float, answered: float, prompt: PromptTimes, samplers: set[str], encoded: float = 0.0
) -> Taken:
    return Taken(
        whole=answered - called,
        after_sampling=answered - prompt.end_of(samplers),
        engine=prompt.freed - prompt.started,
        handler=prompt.started - called + answered - max(prompt.over, encoded),
    )


def _case(sides: _Sides, name: str) -> list[Row]:
    job, repeats = CASES[name]
    ours, theirs = [], []
    for seed in range(repeats + 1):
        graph, samplers = _with_stock_nodes(job | {"seed": 1000 + seed})
        ours.append(sides.ours(job | {"seed": seed}, samplers))
        theirs.append(sides.theirs(graph, samplers))
    del ours[0], theirs[0]  # they load weights

    def row(label: str, figure: str, target: str = "shown", *, milliseconds: bool = False) -> Row:
        values = [[getattr(taken, figure) for taken in each] for each in (ours, theirs)]
        scale, unit, digits = (1000, "ms", 0) if milliseconds else (1, "s", 2)
        here, there = (spread(each, unit, scale=scale, digits=digits) for each in values)
        ratio = median(values[0]) / median(values[1])
        return Row(label, f"{ratio:.2f} of worker-comfyui's: {here} and {there}", target)

    return [
        row(f"{name}: from the handler's call to the answer", "whole"),
        row("... from the end of sampling to the answer", "after_sampling"),
        row("... the engine is taken", "engine"),
        row("... neither the engine nor encoding", "handler", "at most 0.5", milliseconds=True),
    ]


def _with_stock_nodes(raw: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """A job's graph that ends as ComfyUI's templates do, and its nodes that sample."""
    plan = make_plan(JobInput.parse(raw)[0], installed=lambda _: True)
    graph = build(plan, {}, Output(CRF), resident=in_other_recipes(plan)).prompt
    samplers = {key for key, node in graph.items() if node["class_type"] == "SamplerCustomAdvanced"}
    ((key, save),) = ((key, node) for key, node in graph.items() if node["class_type"] == "LTX2DecodeToMP4")
    told = save["inputs"]
    cut = {name: told[name] for name in ("width", "height", "x", "y")}
    stock = {
        "decoded": ("VAEDecode", {"samples": told["samples"], "vae": told["vae"]}),
        "cropped": ("ImageCrop", {"image": ["decoded", 0], **cut}),
        "cut": ("ImageFromBatch", {"image": ["cropped", 0], "batch_index": 0, "length": told["frames"]}),
        "video": ("CreateVideo", {"images": ["cut", 0], "audio": told["audio"], "fps": told["fps"]}),
        "saved": (
            "SaveVideo",
            {"video": ["video", 0], "filename_prefix": "beside", "format": "mp4", "codec": "h264"},
        ),
    }
    del graph[key]
    graph |= {
        name: {"class_type": kind, "inputs": inputs, "_meta": {"title": name}}
        for name, (kind, inputs) in stock.items()
    }
    return graph, samplers

"""The worker beside another handler for ComfyUI, runpod-workers/worker-comfyui, on one and the same engine.

    BENCH_WORKER_COMFYUI=CHECKOUT python -m bench beside

The other one gets the same graphs with ComfyUI's own nodes at their end, and no platform's loop around it: it
is called as the SDK calls it. Both upload into one bucket. Run as a module with the address of an engine it
is the other handler's process.
"""

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from typing import Any

from bench.lab import PREVIEW, ROOT, Lab, bucket_environment, running_worker, scratch, store
from bench.table import Row, spread
from ltx2_api.job import JobInput
from ltx2_worker.plan import make_plan
from ltx2_worker.workflow import Output, build
from tests.storage.s3_server import client

CHECKOUT = "BENCH_WORKER_COMFYUI"
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "a preview": (PREVIEW, 8),
    "720p, 10 s": ({"prompt": PREVIEW["prompt"], "camera": "none"}, 2),
}


def rows() -> list[Row]:
    """Measure both, job after job by turns."""
    checkout = os.environ.get(CHECKOUT)
    if not checkout:
        return [Row("beside worker-comfyui", f"not measured: {CHECKOUT} names no checkout")]
    with store() as url, scratch() as home, running_worker(url) as lab:
        bucket = time.strftime("%m-%y")  # as runpod's SDK names it
        client(url).create_bucket(Bucket=bucket)
        (engine,) = lab.worker.descendants("main.py")[-1:]
        command = engine.cmdline()
        port = command[command.index("--port") + 1]
        with Popen(
            [sys.executable, "-m", "bench.beside", checkout, port],
            cwd=ROOT,
            env=os.environ | bucket_environment(url) | {"HOME": str(home)},
            stdin=PIPE,
            stdout=PIPE,
            stderr=(home / "errors").open("w"),
            text=True,
        ) as other:
            measured = [row for name in CASES for row in _case(lab, other, name)]
            other.kill()
    return measured


def _case(lab: Lab, other: "Popen[str]", name: str) -> list[Row]:
    job, repeats = CASES[name]
    ours, theirs = [], []
    for seed in range(repeats + 1):  # the first one loads weights
        times = lab.run(job | {"seed": seed})
        ours.append((times.answered - lab.accepted(times), times.prompt.seconds))
        assert other.stdin is not None and other.stdout is not None
        other.stdin.write(json.dumps(_with_stock_nodes(job | {"seed": 1000 + seed})) + "\n")
        other.stdin.flush()
        answer = json.loads(other.stdout.readline())
        assert "images" in answer["reply"], answer
        theirs.append((answer["seconds"], lab.next_prompt().seconds))
    overheads = [[whole - engine for whole, engine in each[1:]] for each in (ours, theirs)]
    wholes = [[whole for whole, _ in each[1:]] for each in (ours, theirs)]
    return [
        Row(
            f"beyond the engine's time, {name}: this worker",
            f"{spread(overheads[0], 'ms', scale=1000)}; "
            f"{median(overheads[0]) / median(overheads[1]):.2f} of worker-comfyui's",
            "at most 0.5",
        ),
        Row(f"... worker-comfyui, same engine, stock nodes, {name}", spread(overheads[1], "ms", scale=1000)),
        Row(
            f"... whole job, {name}",
            f"{spread(wholes[0], 's', digits=2)}, worker-comfyui {spread(wholes[1], 's', digits=2)}",
        ),
    ]


def _with_stock_nodes(raw: dict[str, Any]) -> dict[str, Any]:
    """A job's graph that ends as ComfyUI's templates do."""
    graph = build(make_plan(JobInput.parse(raw)[0], installed=lambda _: True), {}, Output(18.0)).prompt
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
    return graph | {
        name: {"class_type": kind, "inputs": inputs, "_meta": {"title": name}}
        for name, (kind, inputs) in stock.items()
    }


def _serve_other(checkout: Path, port: str) -> None:
    """Do one graph a line with the other handler; answer with its seconds and its reply."""
    answers, sys.stdout = sys.stdout, sys.stderr
    sys.path[:0] = [str(checkout), str(checkout / "src")]
    other: Any = import_module("handler")
    other.COMFY_HOST = f"127.0.0.1:{port}"
    for number, line in enumerate(sys.stdin):
        begun = time.monotonic()
        reply = other.handler({"id": f"beside-{number}", "input": {"workflow": json.loads(line)}})
        answers.write(json.dumps({"seconds": time.monotonic() - begun, "reply": reply}) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve_other(Path(sys.argv[1]), sys.argv[2])

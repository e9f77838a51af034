"""The node that decodes and encodes at once, on the real engine."""

import hashlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Recipe
from ltx2_worker.engine import Engine, EngineOptions, Restarted
from ltx2_worker.engine.options import OWN_NODES
from tests.engine import graphs
from tests.engine.fixtures import StartJob
from tests.engine.studio import Studio

pytestmark = pytest.mark.engine

RECEIVER = Path(__file__).with_name("frame_digests.py")


@contextmanager
def receiver(options: EngineOptions) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    address = f"test-{uuid.uuid4().hex}"
    process = subprocess.Popen(
        [str(options.python), str(RECEIVER), address],
        env=options.environment() | {"PYTHONPATH": str(OWN_NODES)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield address, process
    finally:
        process.kill()
        process.wait(10)


def arrived(process: "subprocess.Popen[str]") -> dict[str, Any]:
    said: dict[str, Any] = json.loads(process.communicate(timeout=30)[0])
    return said


@pytest.mark.parametrize(
    "options",
    [
        {"spatial_upscaler": False},
        pytest.param({"temporal_upscaler": True}, marks=pytest.mark.slow),
        pytest.param({"detailer": True}, marks=pytest.mark.slow),
    ],
    ids=str,
)
@pytest.mark.parametrize("recipe", catalogue().recipes, ids=lambda recipe: recipe.name)
def test_the_frames_that_reach_the_encoder_are_those_of_the_stock_nodes(
    engine: Engine, start_job: StartJob, prefix: str, recipe: Recipe, options: dict[str, Any]
) -> None:
    plan, graph = Studio(engine).prompt({"model": recipe.family.name, "quality": recipe.name} | options)
    (save,) = (node for node in graph.values() if node["class_type"] == "LTX2DecodeToMP4")
    told = save["inputs"]
    for node in graph.values():
        if node["class_type"] == "LTXVScheduler":
            node["inputs"]["steps"] = 2  # what is sampled does not matter
    cut = {name: told[name] for name in ("width", "height", "x", "y")}
    assert (cut["x"], cut["y"]) != (0, 0) and plan.frames < plan.generated_frames
    graph["decoded"] = graphs.node("VAEDecode", samples=told["samples"], vae=told["vae"])
    graph["crop"] = graphs.node("ImageCrop", image=["decoded", 0], **cut)
    graph["cut"] = graphs.node("ImageFromBatch", image=["crop", 0], batch_index=0, length=told["frames"])
    graph["png"] = graphs.node("SaveImage", images=["cut", 0], filename_prefix=f"{prefix}-frame")
    with receiver(engine.options) as (address, process):
        told["encoder"] = address
        pictures = start_job(graph).paths()
        said = arrived(process)
    stock = [hashlib.sha256(Image.open(path).convert("RGB").tobytes()).hexdigest() for path in pictures]
    assert len(stock) == plan.frames
    assert said["digests"] == stock


def test_memory_that_runs_out_in_the_middle_of_decoding_costs_no_frame_and_repeats_none(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    def digests(name: str, vae: list[object]) -> list[str]:
        latent = {"samples": ["latent", 0], "audio": None, "frames": 33, "width": 160, "x": 16}
        with receiver(engine.options) as (address, process):
            graph = {
                "ckpt": graphs.node("CheckpointLoaderSimple", ckpt_name=graphs.CHECKPOINT),
                "latent": graphs.node("NoiseLatent", side=192, frames=33, seed=4),
                "fault": graphs.node("FaultDecoder", vae=["ckpt", 2], error="gpu_memory", marker=marker),
                graphs.SAVE: graphs.stream(name, address, vae=vae, **latent),
            }
            job = start_job(graph, is_made=lambda: False)
            assert job.paths() == ()
            assert not job.heard(Restarted)  # the node decodes anew, with nothing else on the device
            return list(arrived(process)["digests"])

    marker = prefix.split("/", maxsplit=1)[0]
    (engine.input_dir / marker).touch()
    interrupted = digests(prefix, ["fault", 0])
    assert not (engine.input_dir / marker).exists()
    assert len(interrupted) == 33
    assert interrupted == digests(prefix + "-2", ["ckpt", 2])

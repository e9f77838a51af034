"""The node that decodes and encodes at once, on the real engine."""

import hashlib
import json
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Recipe
from ltx2_worker.catalog.inputs import Feature
from ltx2_worker.engine import Engine, EngineOptions, Restarted
from ltx2_worker.engine.options import OWN_NODES
from tests.engine import graphs
from tests.engine.fixtures import StartJob
from tests.engine.studio import URL, Studio

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


def stock(graph: graphs.Graph, prefix: str) -> None:
    """Let ComfyUI's own nodes decode, crop, cut and save what the node of a graph streams."""
    (node,) = (node for node in graph.values() if node["class_type"] == "LTX2DecodeToMP4")
    told = node["inputs"]
    cut = {name: told[name] for name in ("width", "height", "x", "y")}
    graph["decoded"] = graphs.node("VAEDecode", samples=told["samples"], vae=told["vae"])
    graph["crop"] = graphs.node("ImageCrop", image=["decoded", 0], **cut)
    graph["cut"] = graphs.node("ImageFromBatch", image=["crop", 0], batch_index=0, length=told["frames"])
    graph["png"] = graphs.node("SaveImage", images=["cut", 0], filename_prefix=f"{prefix}-frame")


def digests(pictures: Iterable[Path]) -> list[str]:
    return [hashlib.sha256(Image.open(path).convert("RGB").tobytes()).hexdigest() for path in pictures]


EVERYTHING = {"spatial_upscaler": True, "temporal_upscaler": True}
DETAILED = EVERYTHING | {"detailer": True}
EXTENDED = {"extend": {"video_url": URL, "seconds": 5}}
EXTENDED_IN_FRONT = {"extend": {"video_url": URL, "seconds": 5, "from": "start"}}
OPTIONS: list[dict[str, Any]] = [
    {"spatial_upscaler": False},
    {"temporal_upscaler": True, "spatial_upscaler": False},
    {"detailer": True},
    {"preview": False},
    EVERYTHING,
    DETAILED,
    EXTENDED,
    EXTENDED_IN_FRONT,
]
#: What is tried of a recipe in every run: all of them plainly, and each family with all that it can.
OFTEN = {
    ("ltx-2", "fast", str(DETAILED)),
    ("ltx-2", "fast", str(EXTENDED)),
    ("ltx-2.3", "pro", str(EXTENDED_IN_FRONT)),
    ("ltx-2.3", "fast", str(EVERYTHING)),
    *((recipe.family.name, recipe.name, str(OPTIONS[0])) for recipe in catalogue().recipes),
}


def cases() -> Iterator[Any]:
    """Every recipe with every option that its family has."""
    for recipe in catalogue().recipes:
        for options in OPTIONS:
            needed = {"detailer": Feature.DETAILER, "extend": Feature.HELD_AGAIN}
            if not all(recipe.offers(needed[name]) for name in options if name in needed):
                continue
            names = (recipe.family.name, recipe.name, str(options))
            marks = () if names in OFTEN else pytest.mark.slow
            yield pytest.param(recipe, options, marks=marks, id="-".join(names))


@pytest.mark.parametrize(("recipe", "options"), list(cases()))
def test_the_frames_that_reach_the_encoder_are_those_of_the_stock_nodes(
    engine: Engine, start_job: StartJob, prefix: str, recipe: Recipe, options: dict[str, Any]
) -> None:
    plan, graph = Studio(engine).prompt({"model": recipe.family.name, "quality": recipe.name} | options)
    (save,) = (node for node in graph.values() if node["class_type"] == "LTX2DecodeToMP4")
    told = save["inputs"]
    for node in graph.values():
        if node["class_type"] == "LTXVScheduler":
            node["inputs"]["steps"] = 2  # what is sampled does not matter
    assert (told["x"], told["y"]) != (0, 0)
    assert told["frames"] == plan.streamed_frames
    assert plan.splice or plan.frames < plan.generated_frames
    stock(graph, prefix)
    with receiver(engine.options) as (address, process):
        told["encoder"] = address
        pictures = start_job(graph).paths()
        said = arrived(process)
    assert len(pictures) == told["frames"]
    assert said["digests"] == digests(pictures)


@pytest.mark.parametrize(
    ("size", "most"),
    [(1 << 20, 33), (40 << 10, 5), (1 << 10, 2)],
    ids=["one chunk", "four frames a chunk, as of 1080p", "a frame or two"],
)
def test_a_cut_within_a_chunk_and_a_crop_of_few_rows_are_exact(
    engine: Engine, start_job: StartJob, prefix: str, size: int, most: int
) -> None:
    chunks = engine.output_dir / prefix.replace("/", "-")
    graph: graphs.Graph = {
        "ckpt": graphs.node("CheckpointLoaderSimple", ckpt_name=graphs.CHECKPOINT),
        "latent": graphs.node("NoiseLatent", side=96, frames=33, seed=3),
        "vae": graphs.node("DecoderChunks", vae=["ckpt", 2], size=size, name=chunks.name),
    }
    # 1080 of 1088 rows of 1080p, and the last chunk is not wanted as a whole.
    cut = {"vae": ["vae", 0], "width": 96, "height": 88, "y": 4, "frames": 29}
    with receiver(engine.options) as (address, process):
        graph[graphs.SAVE] = graphs.stream(prefix, address, samples=["latent", 0], audio=None, **cut)
        stock(graph, prefix)
        pictures = start_job(graph).paths()
        said = arrived(process)
    assert len(pictures) == 29
    assert said["digests"] == digests(pictures)
    assert max(map(int, chunks.read_text().split())) == most


@pytest.mark.parametrize("fault", ["FaultDecoder", "FaultCopy"], ids=["decoding", "copying a frame"])
def test_memory_that_runs_out_in_the_middle_of_decoding_costs_no_frame_and_repeats_none(
    engine: Engine, start_job: StartJob, prefix: str, fault: str
) -> None:
    def digests(name: str, vae: list[object]) -> list[str]:
        # Some frames a chunk: memory runs out between two of them, or between two chunks.
        latent = {"samples": ["latent", 0], "audio": None, "frames": 33, "width": 80, "height": 96, "x": 8}
        error = {"error": "gpu_memory"} if fault == "FaultDecoder" else {}
        with receiver(engine.options) as (address, process):
            graph = {
                "ckpt": graphs.node("CheckpointLoaderSimple", ckpt_name=graphs.CHECKPOINT),
                "latent": graphs.node("NoiseLatent", side=96, frames=33, seed=4),
                "vae": graphs.node("DecoderChunks", vae=["ckpt", 2], size=24 << 10, name=marker),
                "fault": graphs.node(fault, vae=["vae", 0], marker=marker, **error),
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
    assert interrupted == digests(prefix + "-2", ["vae", 0])

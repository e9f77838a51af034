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

from ltx2_worker.engine import Engine, EngineOptions
from ltx2_worker.engine.options import OWN_NODES
from tests.engine import graphs
from tests.engine.fixtures import StartJob

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


def streamed(prefix: str, address: str, **changes: Any) -> graphs.Graph:
    """A sampled video that ends in the node, beside the stock nodes that decode the same latent."""
    graph = graphs.sampled(prefix, seed=21, steps=2, side=192, frames=33)
    del graph["video"], graph[graphs.SAVE]
    cut = {"width": 160, "height": 96, "x": 16, "y": 48}
    graph["crop"] = graphs.node("ImageCrop", image=["img", 0], **cut)
    graph["cut"] = graphs.node("ImageFromBatch", image=["crop", 0], batch_index=0, length=30)
    graph["png"] = graphs.node("SaveImage", images=["cut", 0], filename_prefix=f"{prefix}-frame")
    graph[graphs.SAVE] = graphs.stream(prefix, address, **cut, frames=30, **changes)
    return graph


def test_the_frames_that_reach_the_encoder_are_those_of_the_stock_nodes(
    engine: Engine, engine_options: EngineOptions, start_job: StartJob, prefix: str
) -> None:
    with receiver(engine_options) as (address, process):
        pictures = start_job(streamed(prefix, address)).paths()
        said = json.loads(process.communicate(timeout=30)[0])
    stock = [hashlib.sha256(Image.open(path).convert("RGB").tobytes()).hexdigest() for path in pictures]
    assert len(stock) == 30
    assert said["digests"] == stock
    assert said["facts"] == {"frozen": False}

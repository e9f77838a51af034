"""A job that goes through every stage of the engine, and faults in one of them (tests/engine/nodes)."""

from pathlib import Path

import pytest

from ltx2_worker.engine import Engine
from tests.engine import graphs

ALL = ("loading", "prompt", "sampling", "sound", "decoding")
#: Decoders, where ComfyUI has answers of its own to memory that runs out; the others on demand.
OFTEN = [
    pytest.param(stage, marks=() if stage in {"sound", "decoding"} else pytest.mark.slow) for stage in ALL
]


def mark(engine: Engine, stage: str, kind: str, times: int) -> Path:
    """Let a stage fail so many times; the marker file, which goes when that has happened."""
    marker = engine.input_dir / f"fault-{stage}"
    marker.write_text(f"{kind} {times}")
    return marker


def graph(prefix: str, steps: int = 4, side: int = 128) -> graphs.Graph:
    """Picture and sound from a prompt of its own, so that no stage is answered from the engine's cache."""
    made = graphs.sampled(prefix, seed=int(prefix[:6], 16), steps=steps, side=side)
    made["pos"]["inputs"]["text"] = prefix
    made[graphs.SAVE] = graphs.stream(prefix, width=side, height=side)
    return {name: node for name, node in made.items() if name not in {"img", "video"}}

"""What bench_clock wrote down, as prompts and their nodes; times are time.monotonic()."""

import json
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

NODES = Path(__file__).with_name("nodes")


@dataclass
class PromptTimes:
    """One prompt in the engine.

    Attributes:
        started, ended: execution_start, and the message that ends it.
        over: when its history can be read; 0 until then.
        freed: when the engine looked for its next prompt; 0 until then.
        nodes: id and begin of each node that ran; ended by the next one's begin.
        gpu_bytes: the most GPU memory that was reserved while it ran.
    """

    started: float
    ended: float = 0.0
    over: float = 0.0
    freed: float = 0.0
    nodes: list[tuple[str, float]] = field(default_factory=list)
    gpu_bytes: int = 0

    @property
    def seconds(self) -> float:
        """What the engine itself took."""
        return self.ended - self.started

    def end_of(self, nodes: Container[str]) -> float:
        """When the last of these nodes to run had ended."""
        ends = [end for (node, _), (_, end) in pairwise([*self.nodes, ("", self.ended)]) if node in nodes]
        return ends[-1]

    def node_seconds(self) -> dict[str, float]:
        """Seconds per node that ran."""
        ends = pairwise([*self.nodes, ("", self.ended)])
        return {node: end - begin for (node, begin), (_, end) in ends}


def read(path: Path) -> list[PromptTimes]:
    """The finished prompts, in the order in which the engine began them."""
    prompts: dict[str, PromptTimes] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        note = json.loads(line)
        if note["event"] == "execution_start":
            prompts[note["prompt"]] = PromptTimes(note["at"])
            continue
        prompt = prompts[note["prompt"]]
        if note["event"] == "task_done":
            prompt.over = note["at"]
            continue
        if note["event"] == "free":
            prompt.freed = note["at"]
            continue
        prompt.gpu_bytes = max(prompt.gpu_bytes, note["gpu_bytes"])
        if note["event"] == "executing" and note["node"] is not None:
            prompt.nodes.append((note["node"], note["at"]))
        elif note["event"] in {"execution_success", "execution_error"}:
            prompt.ended = note["at"]
    return [prompt for prompt in prompts.values() if prompt.ended]

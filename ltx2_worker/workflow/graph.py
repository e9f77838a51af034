"""Surgery on a graph in ComfyUI's API format: nodes found by title, set, connected, bypassed, pruned.

Nothing here knows what the graph is for. A bypass means what Ctrl+B means in ComfyUI's editor.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

#: One node of a prompt: class_type, inputs, _meta.title.
ApiNode = dict[str, Any]
Prompt = dict[str, ApiNode]
#: An output of a node: the node's id and the output's index.
Link = tuple[str, int]

NODE_KINDS = Path(__file__).with_name("node_kinds.json")


class GraphError(Exception):
    """The code and the workflow file do not agree: a title, an input or a kind is not there."""


@dataclass(frozen=True)
class NodeKinds:
    """What can be connected to a class of nodes.

    Attributes:
        inputs: kind of each input that takes a connection (no typed-in values), in the node's own order.
        outputs: kind of each output.
        saves: whether ComfyUI runs the node for its own sake (`OUTPUT_NODE`).
    """

    inputs: Mapping[str, str]
    outputs: tuple[str, ...]
    saves: bool

    def passed_through(self, output: int) -> str | None:
        """The input that an output is joined to when the node is bypassed, or None if no kind fits.

        The input at the same position if it is of the same kind, else the first one of that kind. Source:
        ComfyUI's frontend 1.47.12, how an execution graph resolves a bypassed node's output.
        """
        kind = self.outputs[output]
        names = list(self.inputs)
        if output < len(names) and self.inputs[names[output]] == kind:
            return names[output]
        return next((name for name in names if self.inputs[name] == kind), None)


@cache
def node_kinds() -> Mapping[str, NodeKinds]:
    """Return the kinds of the node classes that workflows/*.json use (node_kinds.json, ComfyUI 0.30.0)."""
    return {
        name: NodeKinds(entry["inputs"], tuple(entry["outputs"]), entry["saves"])
        for name, entry in json.loads(NODE_KINDS.read_text(encoding="utf-8")).items()
    }


def as_link(value: object) -> Link | None:
    """Read an input's value as a connection; None if it is a value that was typed in."""
    if not (isinstance(value, list) and len(value) == 2):
        return None
    node, output = value
    return (node, output) if isinstance(node, str) and type(output) is int else None


def repeated(title: str, repetition: int) -> str:
    """The title of a node's repetition, counted from 0: the node itself."""
    return f"{title} {repetition + 1}" if repetition else title


class Graph:
    """A graph in the making; the prompt it was made from stays as it is.

    Arguments:
        prompt: nodes by id, in ComfyUI's API format, each with a title of its own.
        kinds: kinds of every node class in it.

    Raises:
        GraphError: two nodes share a title, or a class is not in `kinds`.
    """

    def __init__(self, prompt: Mapping[str, ApiNode], kinds: Mapping[str, NodeKinds]) -> None:
        self._nodes: Prompt = {key: {**node, "inputs": dict(node["inputs"])} for key, node in prompt.items()}
        self._kinds = kinds
        self._bypassed: set[str] = set()
        self._ids: dict[str, str] = {}
        for key, node in self._nodes.items():
            title = node["_meta"]["title"]
            if title in self._ids:
                raise GraphError(f"two nodes have the title {title!r}")
            if node["class_type"] not in kinds:
                raise GraphError(f"the kinds of {node['class_type']!r} are not known")
            self._ids[title] = key

    def id_of(self, title: str) -> str:
        """Return the id of the node with this title."""
        try:
            return self._ids[title]
        except KeyError:
            raise GraphError(f"there is no node with the title {title!r}") from None

    def takes(self, title: str, name: str) -> bool:
        """Whether there is a node with this title, and `name` is one of its typed-in values."""
        key = self._ids.get(title)
        inputs = self._nodes[key]["inputs"] if key else {}
        return name in inputs and as_link(inputs[name]) is None

    def set(self, title: str, **values: object) -> None:
        """Replace typed-in values of a node.

        Raises:
            GraphError: an input is not in the file, or is a connection.
        """
        inputs = self._inputs(title)
        for name, value in values.items():
            if name not in inputs or as_link(inputs[name]):
                raise GraphError(f"{title!r} has no value {name!r} to set")
            inputs[name] = value

    def connect(self, title: str, name: str, source: str, output: int = 0) -> None:
        """Connect the input `name` of a node to an output of the node `source`.

        Raises:
            GraphError: the output is not of the input's kind.
        """
        kind = self._kinds_of(self.id_of(title)).inputs.get(name)
        outputs = self._kinds_of(self.id_of(source)).outputs
        if output >= len(outputs) or outputs[output] != kind:
            raise GraphError(f"{name!r} of {title!r} cannot be connected to output {output} of {source!r}")
        self._inputs(title)[name] = [self.id_of(source), output]

    def bypass(self, *titles: str) -> None:
        """Leave nodes out: what follows gets what they were given (see `NodeKinds.passed_through`)."""
        self._bypassed.update(self.id_of(title) for title in titles)

    def repeat(self, titles: Sequence[str], times: int) -> None:
        """Put nodes several times in a row, each repetition after the one before; at 0 times, bypass them.

        They are joined as a bypass joins what is before them with what is after: what a bypassed node would
        hand on is what the next repetition takes. Titles that the graph does not have are passed over.

        Arguments:
            titles: of nodes that are repeated together; what connects them to each other does so each time.
        """
        group = [self._ids[title] for title in titles if title in self._ids]
        if not times:
            self._bypassed.update(group)
        last = {key: key for key in group}
        for repetition in range(1, times):
            copies = {key: f"{key}-{repetition + 1}" for key in group}
            for key, copy in copies.items():
                self._nodes[copy] = self._copy(key, copies, last)
                title = repeated(self._nodes[key]["_meta"]["title"], repetition)
                self._nodes[copy]["_meta"] = {"title": title}
                self._ids[title] = copy
                if key in self._bypassed:
                    self._bypassed.add(copy)
            last = copies
        self._move_consumers({key: copy for key, copy in last.items() if key != copy})

    def _copy(self, key: str, copies: Mapping[str, str], before: Mapping[str, str]) -> ApiNode:
        """A node once more, behind the repetition `before`."""
        kinds = self._kinds_of(key)
        passed = {name: out for out in range(len(kinds.outputs)) if (name := kinds.passed_through(out))}
        inputs = dict(self._nodes[key]["inputs"])
        for name, value in inputs.items():
            link = as_link(value)
            if link and link[0] in copies:
                inputs[name] = [copies[link[0]], link[1]]
            elif link and name in passed:
                inputs[name] = [before[key], passed[name]]
        return {**self._nodes[key], "inputs": inputs}

    def _move_consumers(self, last: Mapping[str, str]) -> None:
        """Connect what followed repeated nodes to their last repetition."""
        copies = {key for key in self._nodes for origin in last if key.startswith(f"{origin}-")}
        for key, node in self._nodes.items():
            if key in last or key in copies:
                continue
            for name, value in node["inputs"].items():
                if (link := as_link(value)) and link[0] in last:
                    node["inputs"][name] = [last[link[0]], link[1]]

    def ids_of(self, title: str) -> tuple[str, ...]:
        """Return the ids of a node and of its repetitions."""
        first = self.id_of(title)
        repetitions = (key for key in self._nodes if key.startswith(f"{first}-"))
        return (first, *repetitions)

    def prompt(self) -> Prompt:
        """Return what the saving nodes need, in the file's order, without the bypassed nodes."""
        kept: Prompt = {}
        waiting = [key for key in self._nodes if self._kinds_of(key).saves and key not in self._bypassed]
        while waiting:
            key = waiting.pop()
            if key in kept:
                continue
            inputs: dict[str, Any] = {}
            for name, value in self._nodes[key]["inputs"].items():
                link = as_link(value)
                if link is None:
                    inputs[name] = value
                elif source := self._behind_bypasses(link):
                    inputs[name] = list(source)
                    waiting.append(source[0])
            kept[key] = {**self._nodes[key], "inputs": inputs}
        return {key: kept[key] for key in self._nodes if key in kept}

    def _behind_bypasses(self, link: Link) -> Link | None:
        """Follow a connection backwards through bypassed nodes to one that runs, if there is one."""
        passed = set()
        while link[0] in self._bypassed:
            if link in passed:
                raise GraphError("bypassed nodes form a circle")
            passed.add(link)
            name = self._kinds_of(link[0]).passed_through(link[1])
            source = as_link(self._nodes[link[0]]["inputs"].get(name)) if name else None
            if source is None:
                return None
            link = source
        return link

    def _inputs(self, title: str) -> dict[str, Any]:
        inputs: dict[str, Any] = self._nodes[self.id_of(title)]["inputs"]
        return inputs

    def _kinds_of(self, key: str) -> NodeKinds:
        return self._kinds[self._nodes[key]["class_type"]]

"""Judges a graph by the engine's own node definitions (`/object_info`), more strictly than the engine does.

ComfyUI ignores inputs that a node does not have and rounds numbers off their step: both are faults here.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from ltx2_worker.catalog.files import manifest
from ltx2_worker.workflow.graph import Prompt, as_link

#: Inputs whose list of choices is what happens to lie in the engine's input folder.
UPLOADS = ("image_upload", "video_upload", "audio_upload")

#: One input of a node: whether it is required, its kind or list of choices, and its limits.
Definition = tuple[bool, Any, Mapping[str, Any]]


class Definitions:
    """The engine's node definitions.

    Arguments:
        object_info: the engine's answer to `/object_info`.
        also_installed: names of model files to be taken as there although the engine has not got them.
    """

    def __init__(self, object_info: Mapping[str, Any], also_installed: Iterable[str] = ()) -> None:
        self._classes = object_info
        self._also_installed = frozenset(also_installed)
        self._folders = {file.name: file.folder for file in manifest().values()}
        self._node_faults = cache(self._judge_node)

    def faults(self, prompt: Prompt) -> list[str]:
        """Return everything that is wrong with a prompt; empty if nothing is."""
        needed = set()
        faults: list[tuple[str, str]] = []
        for key, node in prompt.items():
            inputs = []
            for name, value in node["inputs"].items():
                if link := as_link(value):
                    needed.add(link[0])
                    inputs.append((name, True, self._kind_of_output(prompt, link)))
                else:
                    inputs.append((name, False, value))
            # 1, 1.0 and True are equal to a cache, and not to the engine.
            types = tuple(type(value) for _, _, value in inputs)
            faults += ((key, fault) for fault in self._node_faults(node["class_type"], tuple(inputs), types))
        for key in prompt.keys() - needed:
            if not self._classes[prompt[key]["class_type"]]["output_node"]:
                faults.append((key, "nothing needs it"))
        return [f"{prompt[key]['_meta']['title']} ({key}): {fault}" for key, fault in faults]

    def _kind_of_output(self, prompt: Prompt, link: tuple[str, int]) -> str:
        if link[0] not in prompt:
            return "a node that is not there"
        outputs = self._classes[prompt[link[0]]["class_type"]]["output"]
        return str(outputs[link[1]]) if link[1] < len(outputs) else "an output that is not there"

    def _judge_node(
        self, class_type: str, inputs: tuple[tuple[str, bool, Any], ...], _types: tuple[type, ...]
    ) -> tuple[str, ...]:
        if class_type not in self._classes:
            return (f"the engine has no node {class_type}",)
        given = {name: (linked, value) for name, linked, value in inputs}
        known = dict(self._inputs(self._classes[class_type]["input"], given))
        faults = [f"there is no input {name}" for name in given if name not in known]
        for name, (required, kind, limits) in known.items():
            if name not in given:
                faults += [f"{name} is required"] if required else []
                continue
            linked, value = given[name]
            fault = self._linked_fault(kind, value) if linked else self._typed_in_fault(kind, value, limits)
            faults += [f"{name} {fault}"] if fault else []
        return tuple(faults)

    def _inputs(
        self, groups: Mapping[str, Any], given: Mapping[str, tuple[bool, Any]], prefix: str = ""
    ) -> Iterator[tuple[str, Definition]]:
        """Every input that a node has; a chosen value may bring more (`codec` brings `codec.encoding`)."""
        for group in ("required", "optional"):
            for name, definition in groups.get(group, {}).items():
                kind, limits = definition[0], definition[1] if len(definition) > 1 else {}
                full = f"{prefix}{name}"
                if kind != "COMFY_DYNAMICCOMBO_V3":
                    yield full, (group == "required", kind, limits)
                    continue
                choices = {option["key"]: option["inputs"] for option in limits["options"]}
                yield full, (group == "required", list(choices), {})
                _, chosen = given.get(full, (False, None))
                if chosen in choices:
                    yield from self._inputs(choices[chosen], given, f"{full}.")

    def _linked_fault(self, kind: Any, received: str) -> str | None:
        if isinstance(kind, list):
            return "takes a typed-in value"
        return None if received in kind.split(",") else f"takes {kind}, is connected to {received}"

    def _typed_in_fault(self, kind: Any, value: Any, limits: Mapping[str, Any]) -> str | None:
        if any(limits.get(upload) for upload in UPLOADS):
            return None if isinstance(value, str) and value else "names no file"
        if isinstance(kind, list) or kind == "COMBO":
            return self._choice_fault(kind if isinstance(kind, list) else limits["options"], value)
        types = {name: type_ for name, type_ in TYPES.items() if name in kind.split(",")}
        if not types:
            return f"takes a connection of kind {kind}"
        if not any(type(value) is type_ for type_ in types.values()):
            return f"takes {kind}, is {value!r}"
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _number_fault(value, limits)
        return None

    def _choice_fault(self, choices: list[Any], value: Any) -> str | None:
        if value in choices:
            return None
        folders = {self._folders[name] for name in choices if name in self._folders}
        if value in self._also_installed and self._folders.get(value) in folders:
            return None
        return f"is {value!r}, not one of {choices}"


TYPES = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


def _number_fault(value: float, limits: Mapping[str, Any]) -> str | None:
    low, high = limits.get("min", value), limits.get("max", value)
    if not low <= value <= high:
        return f"is {value}, not within {low} and {high}"
    if isinstance(value, int) and (value - limits.get("min", 0)) % limits.get("step", 1):
        return f"is {value}, not a step of {limits['step']} from {limits.get('min', 0)}"
    return None

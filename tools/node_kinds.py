"""Writes ltx2_worker/workflow/node_kinds.json from the engine: `python -m tools.node_kinds`.

What can be connected to the node classes of workflows/ is asked of a running ComfyUI, which this command
starts with the settings of the environment (LTX2_COMFYUI_DIR, LTX2_ENGINE_PYTHON and so on) and ends again.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine, EngineOptions
from ltx2_worker.settings import Settings
from ltx2_worker.workflow.graph import NODE_KINDS

#: Kinds whose values are typed in; a connection can be of any other kind.
TYPED_IN = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"})

#: Seconds until the engine must answer.
ENGINE_SECONDS = 300.0


def node_kinds(object_info: Mapping[str, Any], classes: Iterable[str]) -> str:
    """Return the file as it should be, a line for each class.

    Arguments:
        object_info: the engine's answer to /object_info, by node class.
        classes: the node classes that workflows use.

    Raises:
        ValueError: the engine does not have all of them.
    """
    wanted = sorted(set(classes))
    if missing := [name for name in wanted if name not in object_info]:
        raise ValueError(f"the engine lacks the nodes {', '.join(missing)}")
    lines = (f"  {json.dumps(name)}: {json.dumps(_kinds(object_info[name]))}" for name in wanted)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _kinds(node: Mapping[str, Any]) -> dict[str, Any]:
    inputs = {
        name: node["input"][group][name][0]
        for group in ("required", "optional")
        for name in node["input_order"].get(group, ())
    }
    connected = {
        name: kind
        for name, kind in inputs.items()
        if isinstance(kind, str) and not TYPED_IN.issuperset(kind.split(","))
    }
    return {"inputs": connected, "outputs": node["output"], "saves": node["output_node"]}


def main() -> None:
    """Start an engine, ask it, write the file."""
    classes = {name for recipe in catalogue().recipes for name in recipe.node_classes}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(replace(EngineOptions.from_settings(Settings()), work_dir=Path(folder)))
        engine.start()
        try:
            object_info = engine.object_info(Deadline(ENGINE_SECONDS))
        finally:
            engine.stop(0)
    NODE_KINDS.write_text(node_kinds(object_info, classes), encoding="utf-8")


if __name__ == "__main__":
    main()

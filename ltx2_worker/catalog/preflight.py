"""Before the first job: does this engine have every node, and this machine the models, that jobs need?"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ltx2_api.errors import WorkerError

from ..deadline import Deadline
from ..engine import Engine
from ..settings import Settings
from .files import ModelLibrary, manifest

log = logging.getLogger(__name__)

WORKFLOWS = Path(__file__).parents[2] / "workflows"

#: What no job of a recipe can do without.
RECIPES = {
    "fast": ("checkpoint_fast", "text_encoder"),
    "pro": ("checkpoint_pro", "text_encoder"),
}

#: How long the engine is waited for: several boots.
ENGINE_SECONDS = 1800.0


def missing_engine(settings: Settings) -> str | None:
    """Say which setting does not lead to an engine, if one does not."""
    if not (settings.comfyui_dir / "main.py").is_file():
        return "LTX2_COMFYUI_DIR does not name a ComfyUI"
    if not settings.engine_python.is_file():
        return "LTX2_ENGINE_PYTHON does not name a Python"
    return None


def why_unfit(engine: Engine, library: ModelLibrary) -> str | None:
    """Look at models and engine, write what is missing into the log, and say why no job could be done.

    A worker with some of the models is fit: it takes the jobs it can and names the file for the others.
    """
    recipes = possible_recipes(library)
    missing = [file.name for file in library.missing(manifest().values())]
    log.info("models found", extra={"recipes": recipes, "not_installed": missing})
    if not recipes:
        return f"neither recipe has its models; fast needs {_names('fast')}, pro needs {_names('pro')}"
    try:
        nodes = missing_nodes(engine.object_info(Deadline(ENGINE_SECONDS)))
    except WorkerError as error:
        # Whether the engine can be kept alive is its supervisor's to decide.
        log.warning("the engine could not be checked: %s", error.message)
        return None
    if nodes:
        return f"the engine lacks the nodes {', '.join(nodes)}"
    log.info("engine ready")
    return None


def missing_nodes(object_info: Mapping[str, Any], workflows: Path = WORKFLOWS) -> tuple[str, ...]:
    """Return the node classes that the workflows use and the engine does not have.

    Arguments:
        object_info: the engine's answer to /object_info, by node class.
        workflows: the folder of workflow files.
    """
    used = {
        node["class_type"]
        for path in workflows.glob("*.json")
        for node in json.loads(path.read_text(encoding="utf-8")).values()
    }
    return tuple(sorted(used - set(object_info)))


def possible_recipes(library: ModelLibrary) -> tuple[str, ...]:
    """Return the recipes whose checkpoint and text encoder are here."""
    listed = manifest()
    return tuple(
        recipe for recipe, needed in RECIPES.items() if all(library.has(listed[key]) for key in needed)
    )


def _names(recipe: str) -> str:
    return " and ".join(manifest()[key].name for key in RECIPES[recipe])

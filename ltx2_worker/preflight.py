"""Before the first job: for which recipes does this machine have the files, and its engine the nodes?"""

import logging
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass

from ltx2_api.errors import ErrorCode, WorkerError

from .catalog.catalogue import catalogue
from .catalog.family import Recipe
from .catalog.files import ModelLibrary, manifest
from .deadline import Deadline
from .engine import Engine
from .settings import Settings
from .workflow import least_files

log = logging.getLogger(__name__)

#: How long the engine is waited for: several boots.
ENGINE_SECONDS = 1800.0


@dataclass(frozen=True)
class Verdict:
    """What a worker is fit for.

    Attributes:
        fit: the recipes whose files are here and whose nodes the engine has.
        lacking: the nodes that the engine lacks, by recipe; only recipes that lack some.
        unfit: why no job at all can be done, or None.
    """

    fit: tuple[Recipe, ...] = ()
    lacking: tuple[tuple[Recipe, tuple[str, ...]], ...] = ()
    unfit: str | None = None

    def require(self, recipe: Recipe) -> None:
        """Check that the engine has the nodes of a recipe.

        Raises:
            WorkerError: MODEL_NOT_INSTALLED, the engine is another one than the recipe needs.
        """
        if any(each is recipe for each, _ in self.lacking):
            raise WorkerError(
                ErrorCode.MODEL_NOT_INSTALLED,
                f"The engine of this endpoint cannot run quality {recipe.name}: ask its operator to update "
                "the engine, or ask for another quality.",
                field="quality",
            )


def missing_engine(settings: Settings) -> str | None:
    """Say which setting does not lead to an engine, if one does not."""
    if not (settings.comfyui_dir / "main.py").is_file():
        return "LTX2_COMFYUI_DIR does not name a ComfyUI"
    if not settings.engine_python.is_file():
        return "LTX2_ENGINE_PYTHON does not name a Python"
    return None


def judge(engine: Engine, library: ModelLibrary, models: Collection[str] | None = None) -> Verdict:
    """Look at models and engine, recipe by recipe, and write what is missing into the log.

    A worker with some of the models is fit: it takes the jobs it can and names the file for the others.

    Arguments:
        models: the families that are offered; None: all.
    """
    recipes = tuple(each for each in catalogue().recipes if models is None or each.family.name in models)
    with_files = tuple(recipe for recipe in recipes if has_files(recipe, library))
    log.info(
        "models found",
        extra={
            "recipes": _names(with_files),
            "not_installed": [file.name for file in library.missing(manifest().values())],
        },
    )
    if not with_files:
        needed = [f"{_name(recipe)} needs {_files(recipe, library)}" for recipe in recipes]
        return Verdict(unfit=f"no recipe has its models; {', '.join(needed)}")
    try:
        nodes = engine.object_info(Deadline(ENGINE_SECONDS))
    except WorkerError as error:
        # Whether it can be kept alive is its supervisor's to decide; one that is to end needs no check.
        if error.code is not ErrorCode.SHUTTING_DOWN:
            log.warning("engine not checked", extra={"error": error.message})
        return Verdict()
    lacking = tuple((recipe, missing) for recipe in recipes if (missing := missing_nodes(recipe, nodes)))
    for recipe, missing in lacking:
        log.warning("recipe unavailable", extra={"recipe": _name(recipe), "missing_nodes": list(missing)})
    fit = tuple(recipe for recipe in with_files if not missing_nodes(recipe, nodes))
    if not fit:
        needed = sorted({node for recipe in with_files for node in missing_nodes(recipe, nodes)})
        return Verdict(lacking=lacking, unfit=f"the engine lacks the nodes {', '.join(needed)}")
    log.info("engine ready", extra={"recipes": _names(fit)})
    return Verdict(fit, lacking)


def missing_nodes(recipe: Recipe, engine_nodes: Container[str]) -> tuple[str, ...]:
    """Return the node classes that a recipe's graph uses and the engine does not have."""
    return tuple(sorted(name for name in recipe.node_classes if name not in engine_nodes))


def has_files(recipe: Recipe, library: ModelLibrary) -> bool:
    """Whether a recipe's plainest job has its files here, at one precision or another."""
    return any(
        not library.missing(least_files(recipe, precision, library.has))
        for precision in recipe.family.precisions
    )


def _name(recipe: Recipe) -> str:
    return f"{recipe.family.name} {recipe.name}"


def _names(recipes: Iterable[Recipe]) -> list[str]:
    return [_name(recipe) for recipe in recipes]


def _files(recipe: Recipe, library: ModelLibrary) -> str:
    files = least_files(recipe, recipe.family.precisions[0], library.has)
    return " and ".join(file.name for file in files)

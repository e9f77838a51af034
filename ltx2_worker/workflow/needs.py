"""What a job needs, read off the graph that would be run for it."""

from collections.abc import Collection
from dataclasses import dataclass

from ltx2_api.errors import ErrorCode, WorkerError

from ..catalog.family import Installed, Recipe
from ..catalog.files import ModelFile
from ..catalog.inputs import Feature
from ..plan import Plan, not_offered
from .bind import Binding, bind
from .build import Output, bound, stand_ins


@dataclass(frozen=True)
class Need:
    """A model file that a graph loads, and the job's field that asks for it."""

    file: ModelFile
    field: str


def needs(plan: Plan) -> tuple[Need, ...]:
    """Return every model file that a plan's graph loads, in the order of its family's roles."""
    prompt = bound(plan, stand_ins(plan), Output(0.0)).prompt()
    kept = {node["_meta"]["title"] for node in prompt.values()}
    return tuple(
        Need(plan.files[role], plan.field_of(role))
        for role in plan.family.roles
        if plan.family.is_loaded(role, kept)
    )


def require_installed(plan: Plan, installed: Installed, models: Collection[str] = ()) -> None:
    """Check that every model file of a plan is here.

    Arguments:
        models: families that an endpoint offers instead, where the plan's is not installed at all.

    Raises:
        WorkerError: MODEL_NOT_INSTALLED naming the files that are not.
    """
    if models and plan.family.name not in models:
        raise not_offered(plan.family.name, models)
    missing = [need for need in needs(plan) if not installed(need.file)]
    if missing:
        names = ", ".join(need.file.name for need in missing)
        raise WorkerError(
            ErrorCode.MODEL_NOT_INSTALLED,
            f"This endpoint has no {names}, which {missing[0].field} needs: ask its operator to install it, "
            f"or ask for another {missing[0].field}.",
            field=missing[0].field,
        )


def least_files(recipe: Recipe, precision: str, installed: Installed) -> tuple[ModelFile, ...]:
    """Return the model files without which no job of a recipe can be done at this precision."""
    prompt = bind(recipe, Binding(files={}, values={}, features=(Feature.VIDEO,), choices={})).prompt()
    kept = {node["_meta"]["title"] for node in prompt.values()}
    files = recipe.files(precision, installed)
    return tuple(file for role, file in files.items() if recipe.family.is_loaded(role, kept))

"""What is said of a job that its recipe cannot do."""

from ltx2_api.errors import ErrorCode, WorkerError

from ..catalog.family import Recipe


def no_such_field(field: str, recipe: Recipe) -> WorkerError:
    """The error of a job that asks for what the recipe does not have."""
    instead = recipe.family.instead.get(field, "leave it out")
    return refused(field, f"{recipe.family.title} has no {field} with quality {recipe.name}: {instead}.")


def refused(field: str, message: str) -> WorkerError:
    """The error of a job that breaks a rule of its recipe."""
    return WorkerError(ErrorCode.INVALID_INPUT, message, field=field)

"""A job turned into exact numbers: recipe, sizes, frames, files, and the seconds that it should take."""

from .make import by_recipe, make_plan, not_offered
from .plan import Plan

__all__ = ["Plan", "by_recipe", "make_plan", "not_offered"]

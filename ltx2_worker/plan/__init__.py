"""A job turned into exact numbers: sizes, frames, files, and the seconds that it is expected to take."""

from .plan import Plan, make_plan, require_installed

__all__ = ["Plan", "make_plan", "require_installed"]

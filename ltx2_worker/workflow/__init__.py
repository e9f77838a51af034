"""ComfyUI graphs: a recipe's workflow file, bound to one job's plan and cut to what the job uses."""

from .build import BuiltGraph, Media, build
from .needs import least_files, needs, require_installed

__all__ = ["BuiltGraph", "Media", "build", "least_files", "needs", "require_installed"]

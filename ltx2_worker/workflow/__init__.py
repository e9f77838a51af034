"""ComfyUI graphs: a recipe's workflow file, bound to one job's plan and cut to what the job uses."""

from .build import BuiltGraph, Media, Output, build, stand_ins
from .needs import least_files, needs, require_installed

__all__ = ["BuiltGraph", "Media", "Output", "build", "least_files", "needs", "require_installed", "stand_ins"]

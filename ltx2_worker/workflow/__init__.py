"""LTX-2's ComfyUI graphs: read from workflows/*.json and cut to one job's plan."""

from .build import BuiltGraph, Media, Output, build

__all__ = ["BuiltGraph", "Media", "Output", "build"]

"""Calls the worker's own nodes with tensors made up here; run by the engine's Python.

Usage: python -m tests.engine.own_nodes COMFYUI_DIR > what came out, as JSON by name
"""

import json
import sys
from typing import Any


def _import_comfyui(folder: str) -> None:
    sys.path.insert(0, folder)
    sys.argv = [sys.argv[0], "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()


def depth_guide() -> dict[str, Any]:
    """A scene from 2 to 20 metres with sky above it; in the second frame something comes near."""
    import torch

    from ltx2_worker.engine_nodes.depth import LTX2DepthGuide

    depth = torch.linspace(2, 20, 400).repeat(3, 400, 1)  # (frames, height, width)
    depth[1:, 300:, :100] = 1.0
    sky = torch.zeros_like(depth)
    sky[:, :100] = 0.9
    (first,), (again,) = (
        LTX2DepthGuide().render(da3_geometry={"depth": depth.clone(), "sky": sky}) for _ in range(2)
    )
    column = int((depth[0, 200] - 5).abs().argmin())
    return {
        "same": torch.equal(first, again),
        "shape": list(first.shape),
        "grey": torch.equal(first[..., 0], first[..., 2]),
        "sky": float(first[:, :100].max()),
        "at five metres": first[:, 200, column, 0].tolist(),
        "nearest": float(first[1, 350, 50, 0]),
        "farthest": float(first[0, 200, -1, 0]),
        "range": [float(first.min()), float(first.max())],
    }


def sky_alone() -> dict[str, Any]:
    """Nothing but sky."""
    import torch

    from ltx2_worker.engine_nodes.depth import LTX2DepthGuide

    depth = torch.ones(1, 8, 8)
    (frames,) = LTX2DepthGuide().render(da3_geometry={"depth": depth, "sky": depth})
    return {"brightest": float(frames.max())}


def windows() -> dict[str, Any]:
    """How latent frames are cut, and how they are joined."""
    import torch

    from ltx2_worker.engine_nodes.detail import joined
    from ltx2_worker.engine_nodes.detail import windows as cut

    old, new = torch.zeros(1, 1, 7, 1, 1), torch.ones(1, 1, 6, 1, 1)
    return {
        "cut": {str(frames): [[w.start, w.end] for w in cut(frames, 7, 3)] for frames in (1, 7, 8, 31, 121)},
        "joined": joined(old, new, 2).flatten().tolist(),
    }


def main(comfyui: str) -> None:
    """Call everything."""
    answer, sys.stdout = sys.stdout, sys.stderr
    _import_comfyui(comfyui)
    json.dump({each.__name__: each() for each in (depth_guide, sky_alone, windows)}, answer)


if __name__ == "__main__":
    main(sys.argv[1])

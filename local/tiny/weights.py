"""Writes tiny LTX-2 model files that the real ComfyUI loads with its real code, for a machine without a GPU.

Run with the engine's Python, from the project's folder:

    python -m local.tiny.weights COMFYUI_DIR OUT_DIR UNION_DIR

OUT_DIR gets every file of files.toml under its real name, but for two kinds: what is for full precision
alone, so that asking for a file that is not installed can be tried, and what other files can be replaced by
(a union-control LoRA), which goes into UNION_DIR so that a test chooses whether it is installed. How a file
is made follows from its folder and its family. The weights are random, the same every time; so the video is
coloured mist, and everything else about it is real.
"""

import sys
import time
import tomllib
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).resolve().parents[2] / "ltx2_worker" / "catalog" / "files.toml"

#: The set of what is for full precision alone ends so.
FULL_PRECISION = "full-precision"

Entry = dict[str, Any]


def import_comfyui(folder: Path) -> None:
    """Make ComfyUI's modules importable, on the CPU and with the tiny sizes."""
    sys.path.insert(0, str(folder))
    sys.argv = [sys.argv[0], "--cpu"]
    import comfy.options  # noqa: PLC0415 - importable from here on

    comfy.options.enable_args_parsing()
    from local.tiny_nodes import tiny_gemma, tiny_preprocessors  # noqa: F401, PLC0415


def listed() -> dict[str, Entry]:
    """The files that are written, by id: tables of files.toml."""
    tables = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    tables.pop("sets")
    return {
        file_id: entry
        for file_id, entry in tables.items()
        if not all(name.endswith(FULL_PRECISION) for name in entry["sets"])
    }


def write_all(out: Path, union_out: Path) -> int:
    """Write every file, and return how many bytes they have together.

    Arguments:
        out: a folder of ComfyUI's models layout.
        union_out: another one, for what other files can be replaced by.
    """
    from local.tiny.random_weights import write_weights  # noqa: PLC0415

    files, total = listed(), 0
    replacing = {entry.get("replaced_by") for entry in files.values()}
    for file_id, entry in files.items():
        state, metadata = _made(file_id, entry)
        path = (union_out if file_id in replacing else out) / entry["folder"] / entry["name"]
        write_weights(path, state, metadata)
        total += path.stat().st_size
    return total


def _made(file_id: str, entry: Entry) -> tuple[Any, dict[str, str] | None]:
    """A file's tensors and its header's metadata."""
    from local.tiny import ltx, preprocessors  # noqa: PLC0415

    match entry["folder"], entry.get("families"):
        case "checkpoints", [family]:
            return ltx.checkpoint(family, file_id)
        case "latent_upscale_models", [family]:
            return ltx.upscaler(family, "temporal" if "temporal" in file_id else "spatial")
        case "loras", [family]:
            factor = entry.get("reference_downscale")
            return ltx.lora(family, file_id), factor and {"reference_downscale_factor": str(factor)}
        case "text_encoders", None:
            return ltx.text_encoder(), None
        case "geometry_estimation", None:
            return preprocessors.depth_model(), None
        case "checkpoints", None:
            return preprocessors.pose_model(), None
        case "diffusion_models", None:
            return preprocessors.person_detector(), None
    raise SystemExit(f"files.toml has {file_id}, and nothing in local/tiny makes such a file.")


def main() -> None:
    """Write the files and say how large they are and how long it took."""
    comfyui, out, union_out = (Path(argument) for argument in sys.argv[1:4])
    started = time.monotonic()
    import_comfyui(comfyui)
    total = write_all(out, union_out)
    print(f"tiny weights: {total / 1e6:.0f} MB in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()

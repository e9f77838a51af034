"""Writes tiny LTX-2 model files that the real ComfyUI loads with its real code, for a machine without a GPU.

Run with the engine's Python, from the project's folder:

    python -m local.tiny.weights COMFYUI_DIR OUT_DIR UNION_DIR

OUT_DIR gets every file of files.toml under its real name, but for two kinds: the full-precision checkpoints,
so that asking for a file that is not installed can be tried, and the union-control LoRA, which goes into
UNION_DIR so that a test chooses whether it is installed. The weights are random, the same every time; so the
video is coloured mist, and everything else about it is real.
"""

import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

MANIFEST = Path(__file__).resolve().parents[2] / "ltx2_worker" / "catalog" / "files.toml"

#: Model file ids that this writes no file for.
LEFT_OUT = {"checkpoint_fast_full", "checkpoint_pro_full", "text_encoder_full"}

#: The union-control LoRA reads its guide at half the size (its real file says the same).
UNION_METADATA = {"reference_downscale_factor": "2"}


def import_comfyui(folder: Path) -> None:
    """Make ComfyUI's modules importable, on the CPU and with the tiny sizes."""
    sys.path.insert(0, str(folder))
    sys.argv = [sys.argv[0], "--cpu"]
    import comfy.options  # noqa: PLC0415 - importable from here on

    comfy.options.enable_args_parsing()
    from local.tiny_nodes import tiny_gemma, tiny_preprocessors  # noqa: F401, PLC0415


def write_all(out: Path, union_out: Path) -> int:
    """Write every file, and return how many bytes they have together.

    Arguments:
        out: a folder of ComfyUI's models layout.
        union_out: another one, for the union-control LoRA alone.
    """
    from local.tiny import ltx, preprocessors  # noqa: PLC0415
    from local.tiny.random_weights import State, write_weights  # noqa: PLC0415

    makers: dict[str, Callable[[], tuple[State, dict[str, str] | None]]] = {
        "checkpoint_fast": lambda: ltx.checkpoint("distilled"),
        "checkpoint_pro": lambda: ltx.checkpoint("dev"),
        "text_encoder": lambda: (ltx.text_encoder(), None),
        "spatial_upscaler": lambda: ltx.upscaler(spatial=True),
        "temporal_upscaler": lambda: ltx.upscaler(spatial=False),
        "control_union": lambda: (ltx.lora("control_union"), UNION_METADATA),
        "depth_model": lambda: (preprocessors.depth_model(), None),
        "pose_model": lambda: (preprocessors.pose_model(), None),
        "person_detector": lambda: (preprocessors.person_detector(), None),
    }
    total = 0
    listed = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    listed.pop("sets")
    for file_id, entry in listed.items():
        if file_id in LEFT_OUT:
            continue
        if file_id in makers:
            state, metadata = makers[file_id]()
        elif entry["folder"] == "loras":
            state, metadata = ltx.lora(file_id), None
        else:
            raise SystemExit(f"files.toml has {file_id}, for which local/tiny/weights.py has no maker.")
        path = (union_out if file_id == "control_union" else out) / entry["folder"] / entry["name"]
        write_weights(path, state, metadata)
        total += path.stat().st_size
    return total


def main() -> None:
    """Write the files and say how large they are and how long it took."""
    comfyui, out, union_out = (Path(argument) for argument in sys.argv[1:4])
    started = time.monotonic()
    import_comfyui(comfyui)
    total = write_all(out, union_out)
    print(f"tiny weights: {total / 1e6:.0f} MB in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()

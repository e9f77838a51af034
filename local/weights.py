"""Decides which weights a local run uses: real ones on a GPU, or tiny ones made here."""

import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from local import comfyui
from local.places import HOME, ROOT, TEMPORARY, digest, is_stamped, put_stamp, replace_folder
from local.problem import Problem
from local.steps import Program, Steps

TINY = HOME / "tiny"
#: Beside TINY: the union-control LoRA alone, so that tests choose whether it is installed.
TINY_UNION = HOME / "tiny-union"
#: Custom nodes that make ComfyUI build the small models; they would break real ones.
TINY_NODES = ROOT / "local" / "tiny_nodes"

MANIFEST = ROOT / "ltx2_worker" / "catalog" / "files.toml"
#: Real checkpoints have tens of gigabytes, tiny ones a few megabytes.
SMALLEST_REAL = 1_000_000_000


@dataclass(frozen=True)
class Weights:
    """What the engine runs with.

    Arguments:
        device: "gpu" or "cpu", as the settings have it.
        models: folders in ComfyUI's layout.
        nodes: a folder of custom nodes that these weights need.
    """

    device: str
    models: tuple[Path, ...]
    nodes: Path | None = None


TINY_WEIGHTS = Weights("cpu", (TINY,), TINY_NODES)


def choose(models: tuple[Path, ...], *, insist: bool) -> Weights:
    """Take the real weights where they are and can run, else the tiny ones.

    Arguments:
        models: folders that may have real weights.
        insist: the person named them for this very run, so that anything else would be a surprise.

    Raises:
        Problem: the person insists, and the weights or the GPU are missing.
    """
    if any(has_checkpoint(folder) for folder in models):
        if has_gpu():
            return Weights("gpu", tuple(folder.resolve() for folder in models))
        if insist:
            raise Problem(
                "Real weights need an NVIDIA GPU, and nvidia-smi finds none: without --models tiny ones run."
            )
    elif insist:
        raise Problem(
            f"{models[0]} has no LTX-2 checkpoint (such as checkpoints/{checkpoints()[0]}): "
            "fill it with download_models.sh, or leave out --models for tiny weights."
        )
    return TINY_WEIGHTS


def checkpoints() -> list[str]:
    """The names of the checkpoints of every family, as files.toml lists them."""
    listed = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    listed.pop("sets")
    files = (entry for entry in listed.values() if entry["folder"] == "checkpoints")
    return [entry["name"] for entry in files if "families" in entry]


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a models folder has a real LTX-2 checkpoint."""
    paths = (folder / "checkpoints" / name for name in checkpoints())
    return any(path.is_file() and path.stat().st_size >= SMALLEST_REAL for path in paths)


def has_gpu() -> bool:
    """Tell whether the driver knows an NVIDIA GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout


def tiny_stamp() -> str:
    """What the tiny weights are made from: their makers and the list of files."""
    tiny = ROOT / "local" / "tiny"
    makers = sorted([*tiny.glob("*.py"), *tiny.glob("configurations/*.toml"), *TINY_NODES.glob("*/*.py")])
    return digest([*makers, MANIFEST], comfyui.wanted_version())


def tiny_are_here() -> bool:
    """Tell whether the tiny weights are complete and current."""
    return TINY_UNION.is_dir() and is_stamped(TINY, tiny_stamp())


def make_tiny(engine_python: Path, source: Path, steps: Steps) -> None:
    """Make the tiny weights.

    Arguments:
        engine_python: the Python of the engine's environment.
        source: ComfyUI's folder.
        steps: runs it.
    """
    new, new_union = TEMPORARY / "tiny", TEMPORARY / "tiny-union"
    for folder in (new, new_union):
        shutil.rmtree(folder, ignore_errors=True)
    command: list[str | Path] = [engine_python, "-m", "local.tiny.weights", source, new, new_union]
    steps.run(Program("tiny-weights", "Making the tiny weights", command))
    put_stamp(new, tiny_stamp())
    replace_folder(new_union, TINY_UNION)
    replace_folder(new, TINY)

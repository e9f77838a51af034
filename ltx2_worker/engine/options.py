"""How ComfyUI is started: its command line, its environment, its folders.

Flags were checked against ComfyUI 0.30.0 (`comfy/cli_args.py`).
"""

import json
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..settings import Settings

#: ComfyUI's model folders (`folder_paths.py`, 0.30.0). `custom_nodes` is left out on purpose: a model folder,
#: perhaps on a shared volume, must not bring code.
MODEL_FOLDERS = (
    "audio_encoders",
    "background_removal",
    "checkpoints",
    "classifiers",
    "clip_vision",
    "configs",
    "controlnet",
    "detection",
    "diffusion_models",
    "embeddings",
    "frame_interpolation",
    "geometry_estimation",
    "latent_upscale_models",
    "loras",
    "model_patches",
    "optical_flow",
    "text_encoders",
    "upscale_models",
    "vae",
    "vae_approx",
)

#: The worker's own nodes: a package, below a folder of which ComfyUI loads nothing else.
OWN_NODES = Path(__file__).parents[1] / "engine_nodes"

#: What the engine has no use for: the worker's and the platform's settings, among them every secret; and how
#: the worker's own Python was started (without bytecode, each boot would compile all of ComfyUI again).
WITHHELD = ("AWS_", "BUCKET_", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "LTX2_", "OTEL_", "PYTHON", "RUNPOD_")


@dataclass(frozen=True)
class EngineOptions:
    """What the operator decides about the engine; times in seconds.

    Arguments:
        comfyui_dir: the folder with ComfyUI's main.py.
        python: the Python that has torch.
        work_dir: scratch; the engine's input, output, temp and user folders are made below it.
        device: "cpu" is for tiny weights and tests.
        models_dirs: folders with ComfyUI's model layout; the first that has a file wins.
        nodes_dirs: folders of custom nodes beside the worker's own; all others are off.
        extra_args: further ComfyUI flags.
        start_timeout: from the start of the process until it answers.
        answer_timeout: a ready engine that has not answered HTTP for this long hangs. Long enough for a node
            that holds Python's lock (turning frames into bytes) on a slow CPU.
        stall_timeout: a prompt that has sent no event for this long hangs, although HTTP answers. Legitimate
            silence is a checkpoint of 27 GB read from a network volume at 100 MB/s (about 300 s), a 1080p
            decode, an H.264 encode on few cores.
        interrupt_timeout: an interrupted prompt that still runs after this long hangs: the engine looks for
            an interrupt between sampling steps and between nodes only.
        max_crashes: so many crashes in a row, with no finished prompt in between, and the engine is given up.
    """

    comfyui_dir: Path
    python: Path
    work_dir: Path
    device: Literal["gpu", "cpu"] = "gpu"
    models_dirs: tuple[Path, ...] = ()
    nodes_dirs: tuple[Path, ...] = ()
    extra_args: tuple[str, ...] = ()
    start_timeout: float = 300
    answer_timeout: float = 60
    stall_timeout: float = 900
    interrupt_timeout: float = 120
    max_crashes: int = 3

    @classmethod
    def from_settings(cls, settings: Settings) -> "EngineOptions":
        """The options that the operator's settings ask for."""
        return cls(
            comfyui_dir=settings.comfyui_dir,
            python=settings.engine_python,
            work_dir=settings.work_dir / "engine",
            device=settings.engine_device,
            models_dirs=settings.models_dirs,
            nodes_dirs=(settings.engine_nodes_dir,) if settings.engine_nodes_dir else (),
            extra_args=tuple(shlex.split(settings.engine_args)),
            start_timeout=settings.engine_start_timeout,
            max_crashes=settings.engine_max_crashes,
        )

    @property
    def input_dir(self) -> Path:
        """Where LoadImage and LoadVideo look for files."""
        return self.work_dir / "input"

    @property
    def output_dir(self) -> Path:
        """Where SaveVideo writes."""
        return self.work_dir / "output"

    @property
    def version(self) -> str:
        """ComfyUI's version, as its own folder states it."""
        source = (self.comfyui_dir / "comfyui_version.py").read_text()
        stated = re.search(r'__version__ = "([0-9.]+)"', source)
        return stated[1] if stated else "unknown"

    def prepare(self) -> None:
        """Make the folders and the model-path file that the command line names."""
        for folder in (self.input_dir, self.output_dir, self.work_dir / "temp", self.work_dir / "user"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._model_paths_file.write_text(json.dumps(self._model_paths(), indent=1))

    def flags(self, port: int) -> list[str]:
        """ComfyUI's command line after `main.py`, for this loopback port."""
        flags = ["--listen", "127.0.0.1", "--port", str(port)]
        # Nodes that call paid services over the network, and the frontend's own calls: none of our business.
        flags += ["--disable-api-nodes"]
        # Otherwise the whole graph, with the caller's prompt, is published inside the MP4.
        flags += ["--disable-metadata"]
        # Only the last prompt's results are kept: memory stays flat. The default cache measures the host's
        # memory, not the container's, and grows by a decoded batch per job until the container is killed.
        flags += ["--cache-classic"]
        # The database on disk is locked by a second process, and holds nothing we need.
        flags += ["--database-url", "sqlite:///:memory:"]
        # Previews cost a decode per step; a prompt that wants them says so itself.
        flags += ["--preview-method", "none"]
        flags += ["--extra-model-paths-config", str(self._model_paths_file)]
        flags += ["--input-directory", str(self.input_dir), "--output-directory", str(self.output_dir)]
        # Inside ComfyUI's own folder by default, which is read-only in an image.
        flags += ["--temp-directory", str(self.work_dir), "--user-directory", str(self.work_dir / "user")]
        flags += ["--disable-all-custom-nodes", "--whitelist-custom-nodes", *self._node_packages()]
        if self.device == "cpu":
            # Torch's attention, as on a GPU: ComfyUI's own for a CPU doubles the text encoder's time.
            flags += ["--use-pytorch-cross-attention", "--cpu"]
        return flags + list(self.extra_args)

    def environment(self) -> dict[str, str]:
        """The engine's environment: this process's, without what it has no use for."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
        # Lines reach the log when they are written; nothing is fetched behind our back.
        return kept | {"PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}

    def _node_packages(self) -> list[str]:
        children = (child for folder in self.nodes_dirs for child in folder.iterdir())
        further = sorted(child.name for child in children if child.is_dir() and child.name[0] not in "._")
        return [OWN_NODES.name, *further]

    @property
    def _model_paths_file(self) -> Path:
        return self.work_dir / "model_paths.yaml"

    def _model_paths(self) -> dict[str, dict[str, str | bool]]:
        """The content of ComfyUI's extra_model_paths.yaml (JSON is YAML).

        `is_default` puts a folder before those already known, so the first of ours is written last.
        """
        folders = {name: name for name in MODEL_FOLDERS}
        paths: dict[str, dict[str, str | bool]] = {
            f"models_{index}": {"base_path": str(folder), "is_default": True, **folders}
            for index, folder in reversed(list(enumerate(self.models_dirs)))
        }
        nodes_dirs = (OWN_NODES.parent, *self.nodes_dirs)
        paths |= {f"nodes_{i}": {"custom_nodes": str(folder)} for i, folder in enumerate(nodes_dirs)}
        return paths

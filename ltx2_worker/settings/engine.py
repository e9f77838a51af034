"""Settings: the engine, its models and its scratch folder."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode


class EngineSettings(BaseSettings):
    """How ComfyUI is found and started."""

    comfyui_dir: Path = Field(Path("/opt/comfyui"), description="ComfyUI's folder (the one with main.py).")
    engine_python: Path = Field(
        Path("/opt/engine/bin/python"), description="Python of the environment that has torch."
    )
    engine_device: Literal["gpu", "cpu"] = Field("gpu", description="cpu is for tiny weights and tests.")
    engine_args: str = Field("", description="Further ComfyUI flags, as on a command line.")
    engine_nodes_dir: Path | None = Field(
        None, description="A further folder of custom nodes (the tiny weights bring one)."
    )
    engine_start_timeout: float = Field(300, gt=0, description="Seconds until the engine must answer.")
    engine_max_crashes: int = Field(
        3, ge=1, description="So many crashes in a row end the worker, so that the platform replaces it."
    )
    models_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (Path("/opt/models"), Path("/runpod-volume/models"), Path("/runpod-volume/ComfyUI/models")),
        description="Folders with ComfyUI's model layout, the first that has a file wins; separated by ':'.",
    )
    work_dir: Path = Field(
        Path("/tmp/ltx2-worker"),  # noqa: S108 - made with mode 0700 by the worker, one owner
        description="Scratch: what goes into and comes out of the engine; emptied after each job.",
    )

    @field_validator("engine_args")
    @classmethod
    def _splits(cls, value: str) -> str:
        shlex.split(value)  # ValueError: a quotation mark without its partner
        return value

    @field_validator("models_dirs", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return tuple(part for part in value.split(":") if part) if isinstance(value, str) else value

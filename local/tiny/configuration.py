"""The published configurations of the model's generations, in configurations/: one file each."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("configurations")


@dataclass(frozen=True)
class Configuration:
    """What the files of one generation say of themselves.

    Attributes:
        checkpoint: by part of a checkpoint, as its header has it: transformer, vae, audio_vae, vocoder.
        upscalers: spatial and temporal.
    """

    checkpoint: dict[str, dict[str, Any]]
    upscalers: dict[str, dict[str, Any]]


def published(family: str) -> Configuration:
    """Read the configuration of a family of the catalogue."""
    tables = tomllib.loads((FOLDER / f"{family}.toml").read_text(encoding="utf-8"))
    return Configuration(**tables)

"""The operator's own LoRAs: tables in `catalog.d/` of the models folders, so that no image is built for them.

ComfyUI runs with a LoRA for another model and changes nothing, with wrong shapes in part, and says so in its
log alone. So each file is held against the checkpoint of its family here, by the headers of both.
"""

import json
import logging
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from ltx2_api.ways.loras import LoraName

from .files import ModelFile, ModelLibrary

log = logging.getLogger(__name__)

FOLDER = "catalog.d"
#: The header of a safetensors file is JSON of at most this length (its own format's limit).
_LONGEST_HEADER = 100_000_000
#: Where a checkpoint has the transformer, and a LoRA of ComfyUI's naming its layers.
_IN_CHECKPOINT, _IN_LORA = "model.diffusion_model.", "diffusion_model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
#: An IC-LoRA says so in its header: it wants a guide, and is no style.
_IC_LORA = "reference_downscale_factor"

Shapes = Mapping[str, tuple[int, ...]]


class _Table(BaseModel):
    """`[NAME]` of a table: the file in the folder `loras`, the family it was made for, and what it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$")]
    family: str
    description: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    strength: Annotated[float, Field(ge=0, le=1.5, allow_inf_nan=False)] = 1.0


@dataclass(frozen=True)
class OwnLora:
    """One of the operator's LoRAs.

    Attributes:
        file: its name in the folder `loras`.
        family: the generation that it was made for.
        strength: what a job gets that does not say.
        bytes: the file's size.
    """

    name: str
    file: str
    family: str
    description: str
    strength: float
    bytes: int


def own_loras(library: ModelLibrary, checkpoints: Mapping[str, Iterable[ModelFile]]) -> dict[str, OwnLora]:
    """Return the operator's LoRAs that work, by name; what is wrong with the others is written into the log.

    Arguments:
        library: the models folders; a table of the first one wins.
        checkpoints: by family, the files that its LoRAs could be held against.
    """
    found: dict[str, OwnLora] = {}
    layers: dict[str, Shapes] = {}
    for family, files in checkpoints.items():
        path = next((path for file in files if (path := library.find(file))), None)
        layers[family] = _header(path)[0] if path else {}
    for folder in library.dirs:
        for path in sorted((folder / FOLDER).glob("*.toml")):
            for name, table in _tables(path).items():
                if name not in found:
                    file = folder / "loras" / table.file
                    if wrong := _fault(table, file, layers):
                        log.error(
                            "own LoRA not usable", extra={"lora": name, "table": path.name, "why": wrong}
                        )
                        continue
                    found[name] = OwnLora(
                        name, table.file, table.family, table.description, table.strength, file.stat().st_size
                    )
    if found:
        log.info("own LoRAs found", extra={"loras": sorted(found)})
    return found


def _tables(path: Path) -> dict[str, _Table]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[LoraName, _Table]).validate_python(tables)
    except (OSError, ValueError, ValidationError) as error:
        log.error("table of own LoRAs not readable", extra={"table": path.name, "error": str(error)})
        return {}


def _fault(table: _Table, file: Path, layers: Mapping[str, Shapes]) -> str | None:
    """What is wrong with a LoRA, if anything is."""
    if table.family not in layers:
        return f"there is no family {table.family}"
    try:
        tensors, metadata = _header(file)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return f"{table.file} is no safetensors file in the folder loras"
    if _IC_LORA in metadata:
        return f"{table.file} is an IC-LoRA, which wants a guide"
    return _fault_of_tensors(table.file, tensors, layers[table.family])


def _fault_of_tensors(name: str, tensors: Shapes, layers: Shapes) -> str | None:
    if not tensors:
        return f"{name} is empty"
    for key, shape in tensors.items():
        down, up = key.endswith(_DOWN), key.endswith(_UP)
        layer = key.removesuffix(_DOWN).removesuffix(_UP)
        if not (down or up or key.endswith(".alpha")) or not layer.startswith(_IN_LORA):
            return f"{name} has {key}, which ComfyUI would pass over"
        known = layers.get(_IN_CHECKPOINT + layer.removeprefix(_IN_LORA).removesuffix(".alpha") + ".weight")
        if layers and known is None:
            return f"{name} has {key}, a layer that the model does not have"
        if known is not None and down and shape[1:] != known[1:]:
            return f"{name} has {key} of shape {shape}, for a layer of {known}"
        if known is not None and up and shape[0] != known[0]:
            return f"{name} has {key} of shape {shape}, for a layer of {known}"
    return None


def _header(path: Path) -> tuple[Shapes, Mapping[str, Any]]:
    """The shapes and the metadata in a safetensors file: 8 bytes of length, JSON, the tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= _LONGEST_HEADER:
            raise ValueError("no safetensors file")
        entries = json.loads(file.read(length))
    metadata = entries.pop("__metadata__", {})
    return {key: tuple(entry["shape"]) for key, entry in entries.items()}, metadata

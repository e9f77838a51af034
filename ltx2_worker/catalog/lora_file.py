"""A LoRA file held against the checkpoint that it was made for, by the headers of both.

ComfyUI runs with a LoRA for another model and changes nothing, with wrong shapes in part, and says so in its
log alone; one that was cut short ends every job that names it.
Source of the format: safetensors' README, "Format": 8 bytes of length, JSON, the tensors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

#: The header of a safetensors file is JSON of at most this length (its own format's limit).
_LONGEST_HEADER = 100_000_000
#: Where a checkpoint has the transformer, and a LoRA of ComfyUI's naming its layers.
_IN_CHECKPOINT, _IN_LORA = "model.diffusion_model.", "diffusion_model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
#: An IC-LoRA says so in its header: it wants a guide, and is no style.
_IC_LORA = "reference_downscale_factor"
_METADATA = "__metadata__"

Shapes = Mapping[str, tuple[int, ...]]


class _Tensor(BaseModel):
    """An entry of a header."""

    model_config = ConfigDict(frozen=True)

    shape: tuple[int, ...]
    data_offsets: tuple[int, int] = Field(description="Its first byte, and the first one behind it.")


_TENSORS = TypeAdapter(dict[str, _Tensor])


@dataclass(frozen=True)
class _Header:
    """What a header says: its tensors, the metadata, and where in the file the tensors begin."""

    tensors: Mapping[str, _Tensor]
    metadata: Mapping[str, Any]
    begin: int

    @property
    def shapes(self) -> Shapes:
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    @property
    def end(self) -> int:
        """Bytes that the file has to have."""
        return self.begin + max((tensor.data_offsets[1] for tensor in self.tensors.values()), default=0)


def layers_of(checkpoint: Path) -> Shapes:
    """The shapes of a checkpoint's tensors; none where its header cannot be read."""
    try:
        return _header(checkpoint).shapes
    except (OSError, ValueError, RecursionError):
        return {}


def fault_of(file: Path, layers: Shapes) -> str | None:
    """What is wrong with a LoRA for a model of some layers, if anything is.

    Arguments:
        file: no pipe, whose reader would wait for ever.
        layers: of the checkpoint; none: it is not here, and the file is looked at by itself.
    """
    name = file.name
    try:
        header = _header(file)
        size = file.stat().st_size
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        return f"{name} is no safetensors file"
    if not header.tensors:
        return f"{name} is empty"
    if size < header.end:
        return f"{name} is cut short"
    if _IC_LORA in header.metadata:
        return f"{name} is an IC-LoRA, which wants a guide"
    return _fault_of_layers(name, header.shapes, layers)


def _fault_of_layers(name: str, tensors: Shapes, layers: Shapes) -> str | None:
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
        if known is not None and up and shape[:1] != known[:1]:
            return f"{name} has {key} of shape {shape}, for a layer of {known}"
    return None


def _header(path: Path) -> _Header:
    """What the header of a safetensors file says.

    Raises:
        OSError: it cannot be read.
        ValueError, RecursionError: it is no such file.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= _LONGEST_HEADER:
            raise ValueError("no safetensors file")
        entries = json.loads(file.read(length))
    if not isinstance(entries, dict) or not isinstance(entries.get(_METADATA, {}), dict):
        raise ValueError("no safetensors file")
    metadata = entries.pop(_METADATA, {})
    try:
        return _Header(_TENSORS.validate_python(entries), metadata, begin=8 + length)
    except ValidationError as error:
        raise ValueError("no safetensors file") from error

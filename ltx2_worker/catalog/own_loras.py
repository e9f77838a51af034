"""The operator's own LoRAs: tables in `catalog.d/` of the models folders, so that no image is built for them.

What is wrong with one is written into the log, and it alone is left out.
"""

import logging
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ltx2_api.inputs import NAME, PATTERNS

from .files import ModelFile, ModelLibrary
from .lora_file import fault_of, layers_of

log = logging.getLogger(__name__)

FOLDER, LORAS = "catalog.d", "loras"
#: A table of a LoRA has some 300 bytes.
_MOST_BYTES = 1_000_000


class _Table(BaseModel):
    """`[NAME]` of a table: the file in the folder `loras`, the family it was made for, and what it does."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

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
    """Return the operator's LoRAs that work, by name.

    Arguments:
        library: the models folders; a table of the first one wins.
        checkpoints: by family, the files that its LoRAs could be held against.
    """
    found: dict[str, OwnLora] = {}
    layers = {}
    for family, files in checkpoints.items():
        path = next((path for file in files if (path := library.find(file))), None)
        layers[family] = layers_of(path) if path else {}
    for where, name, table in _tables(library):
        # ComfyUI loads the first folder's file of a name, so that is the one that is looked at.
        paths = [path for folder in library.dirs if (path := folder / LORAS / table.file).is_file()]
        if name in found:
            log.warning("own LoRA named twice, the first is used", extra={"lora": name, "table": where.name})
        elif table.family not in layers:
            _left_out(name, where, f"there is no family {table.family}; there are {', '.join(layers)}")
        elif not paths:
            _left_out(name, where, f"{table.file} is not in the folder {LORAS}")
        elif wrong := fault_of(paths[0], layers[table.family]):
            _left_out(name, where, wrong)
        else:
            size = paths[0].stat().st_size
            found[name] = OwnLora(name, table.file, table.family, table.description, table.strength, size)
    if found:
        log.info("own LoRAs found", extra={"loras": sorted(found)})
    return found


def _tables(library: ModelLibrary) -> Iterator[tuple[Path, str, _Table]]:
    """Every table that is one, with its file and its name."""
    for folder in library.dirs:
        for path in _files(folder / FOLDER):
            for name, given in _read(path).items():
                if not re.fullmatch(NAME, name):
                    _left_out(name, path, f"{name} must {PATTERNS[NAME]}")
                    continue
                try:
                    yield path, name, _Table.model_validate(given)
                except ValidationError as error:
                    _left_out(name, path, _said(error))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except FileNotFoundError:
        return []
    except OSError as error:
        log.error("tables of own LoRAs not readable", extra={"table": FOLDER, "error": error.strerror})
        return []


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if not path.is_file():  # nor a pipe, whose reader would wait for ever
            raise ValueError("it is no file")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        error = "it is nested too deeply"
    except OSError as fault:
        error = fault.strerror or "it cannot be read"
    except ValueError as fault:
        error = str(fault)
    log.error("table of own LoRAs not readable", extra={"table": path.name, "error": error})
    return {}


def _left_out(name: str, table: Path, why: str) -> None:
    log.error("own LoRA not usable", extra={"lora": name, "table": table.name, "why": why})


def _said(error: ValidationError) -> str:
    """Pydantic's errors in one line."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in faults)

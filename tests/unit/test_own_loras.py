"""The operator's own LoRAs: whatever lies in catalog.d, what is right is found and the rest is told of."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from ltx2_worker.catalog.files import ModelFile, ModelLibrary
from ltx2_worker.catalog.own_loras import FOLDER, LORAS, OwnLora, own_loras

LAYER = "diffusion_model.blocks.0.attn"
CHECKPOINT = ModelFile(
    id="checkpoint", folder="checkpoints", name="ltx.safetensors", repo="a/b", path="c", revision="main",
    size=1, size_exact=False, licence="-", sets=("fast",), used_by="-",
)  # fmt: skip


def safetensors(tensors: dict[str, tuple[int, ...]], **metadata: str) -> bytes:
    """A file of half-precision tensors."""
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, shape in tensors.items():
        begin, end = end, end + 2 * shape[0] * shape[1]
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": (begin, end)}
    text = json.dumps(header).encode()
    return with_header(text) + bytes(end)


def with_header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


GOOD = safetensors({f"{LAYER}.lora_A.weight": (4, 8), f"{LAYER}.lora_B.weight": (8, 4)})


def table(name: str = "ink", file: str = "ink.safetensors", family: str = "ltx-2", more: str = "") -> str:
    return f'[{name}]\nfile = "{file}"\nfamily = "{family}"\ndescription = "Ink."\n{more}\n'


class Models:
    """A models folder with a checkpoint and a LoRA."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for folder in (FOLDER, LORAS, "checkpoints"):
            (home / folder).mkdir(parents=True)
        checkpoint = safetensors({f"model.{LAYER}.weight": (8, 8)})
        (home / "checkpoints" / CHECKPOINT.name).write_bytes(checkpoint)
        self.lora.write_bytes(GOOD)

    @property
    def lora(self) -> Path:
        return self.home / LORAS / "ink.safetensors"

    def write(self, text: str, name: str = "styles.toml") -> None:
        (self.home / FOLDER / name).write_text(text)

    def found(self, *others: Path) -> dict[str, OwnLora]:
        return own_loras(ModelLibrary((*others, self.home)), {"ltx-2": [CHECKPOINT]})


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path / "models")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


def why(said: pytest.LogCaptureFixture) -> str:
    """What the one line says."""
    (record,) = said.records
    return str(getattr(record, "why", None) or getattr(record, "error", None) or record.getMessage())


def test_a_lora_is_found_with_what_its_table_says(models: Models) -> None:
    models.write(table(more="strength = 0.5"))
    assert models.found() == {"ink": OwnLora("ink", "ink.safetensors", "ltx-2", "Ink.", 0.5, len(GOOD))}


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (table("oil", file="oil.safetensors"), "oil.safetensors is not in the folder loras"),
        (table("oil", file="../ink.safetensors"), "file: "),
        (table("oil", file="/etc/passwd"), "file: "),
        (table("oil", family="ltx-9"), "there is no family ltx-9; there are ltx-2"),
        (table("Oil"), "Oil must be a name"),
        (table("oil", more="strenght = 1"), "strenght: "),
        (table("oil", more="strength = 3"), "strength: "),
        ("[oil]\nfile = 'ink.safetensors'\nfamily = 'ltx-2'\n", "description: Field required"),
        ("oil = 1\n", "valid dictionary"),
    ],
)
def test_a_faulty_table_is_told_of_in_one_line_and_leaves_the_others(
    models: Models, said: pytest.LogCaptureFixture, bad: str, sentence: str
) -> None:
    models.write(bad + table())
    assert list(models.found()) == ["ink"]
    assert sentence in why(said)
    assert "\n" not in why(said)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no safetensors file"),
        (with_header(b"[" * 100_000), "is no safetensors file"),
        (with_header(b'{"__metadata__": 5}'), "is no safetensors file"),
        (with_header(b'{"a": {"shape": null}}'), "is no safetensors file"),
        (with_header(b"{}"), "is empty"),
        (GOOD[:-1], "is cut short"),
        (safetensors({f"{LAYER}.lora_A.weight": (4, 9)}), "of shape (4, 9), for a layer of (8, 8)"),
        (safetensors({"transformer.lora_A.weight": (4, 8)}), "which ComfyUI would pass over"),
        (safetensors({f"{LAYER}2.lora_A.weight": (4, 8)}), "a layer that the model does not have"),
        (
            safetensors({f"{LAYER}.lora_A.weight": (4, 8)}, reference_downscale_factor="2"),
            "is an IC-LoRA, which wants a guide",
        ),
    ],
)
def test_a_file_that_the_model_cannot_use_is_left_out(
    models: Models, said: pytest.LogCaptureFixture, content: bytes, sentence: str
) -> None:
    models.lora.write_bytes(content)
    models.write(table())
    assert models.found() == {}
    assert sentence in why(said)


def test_a_pipe_or_a_broken_link_in_place_of_a_file_is_not_waited_for(
    models: Models, said: pytest.LogCaptureFixture
) -> None:
    models.lora.unlink()
    os.mkfifo(models.lora)
    (models.home / LORAS / "oil.safetensors").symlink_to("nowhere")
    os.mkfifo(models.home / FOLDER / "pipe.toml")
    models.write(table() + table("oil", file="oil.safetensors"))
    assert models.found() == {}
    assert [record.getMessage() for record in said.records] == [
        "table of own LoRAs not readable",
        "own LoRA not usable",
        "own LoRA not usable",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[ink\n", "Expected ']'"),
        (table() + table(), "Cannot declare"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("#" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_a_file_of_tables_that_is_none_leaves_the_other_files(
    models: Models, said: pytest.LogCaptureFixture, text: str, sentence: str
) -> None:
    models.write(text, "a.toml")
    models.write(table(), "b.toml")
    assert list(models.found()) == ["ink"]
    assert sentence in why(said)


def test_of_two_tables_with_one_name_the_first_is_used_and_the_log_says_so(
    models: Models, said: pytest.LogCaptureFixture
) -> None:
    models.write(table(more="strength = 0.2"), "a.toml")
    models.write(table(more="strength = 0.9"), "b.toml")
    assert models.found()["ink"].strength == 0.2
    assert "named twice" in why(said)


def test_the_file_that_is_looked_at_is_the_one_that_the_engine_loads(
    models: Models, said: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    other = tmp_path / "image"
    (other / LORAS).mkdir(parents=True)
    (other / LORAS / "ink.safetensors").write_bytes(with_header(b"{}"))
    models.write(table())
    assert models.found(other) == {}
    assert why(said) == "ink.safetensors is empty"

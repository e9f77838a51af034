"""A model family that nobody has programmed: tables, graphs and files are added to a copy of the project."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine
from tests.project_copy import copy_of_project
from tools.node_kinds import node_kinds

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

SKETCH = Path(__file__).with_name("sketch")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, session_engine: Engine) -> Path:
    """The project with the sketch family: nothing but data is added, then the two commands write theirs."""
    tree = copy_of_project(tmp_path_factory.mktemp("family") / "tree")
    catalog = tree / "ltx2_worker/catalog"
    shutil.copy(SKETCH / "sketch.toml", catalog)
    (tree / "workflows/sketch").mkdir()
    for name in ("draft.json", "final.json"):
        shutil.copy(SKETCH / name, tree / "workflows/sketch")
    listed = (catalog / "files.toml").read_text().replace('sets = ["fast", ', 'sets = ["sketch", "fast", ', 1)
    (catalog / "files.toml").write_text(listed + (SKETCH / "files.toml").read_text())
    prices = tree / "ltx2_api/prices.toml"
    prices.write_text(prices.read_text() + (SKETCH / "prices.toml").read_text())
    graphs = [json.loads(path.read_text()) for path in (tree / "workflows").glob("*/*.json")]
    session_engine.wait_ready(Deadline(90))
    kinds = node_kinds(
        session_engine.object_info(Deadline(90)),
        (node["class_type"] for graph in graphs for node in graph.values()),
    )
    (tree / "ltx2_worker/workflow/node_kinds.json").write_text(kinds)
    subprocess.run([sys.executable, "-m", "tools.reference"], cwd=tree, timeout=100, check=True)
    return tree


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny weights in the files that the sketch family has them in; without its second camera."""
    tiny, models = Path(os.environ["LTX2_MODELS_DIRS"].split(":")[0]), tmp_path_factory.mktemp("models")
    whole = tiny / "checkpoints/ltx-2-19b-distilled-fp8.safetensors"
    parts: dict[str, dict[str, str]] = {
        "diffusion_models/sketch-transformer": {"model.diffusion_model.": "model.diffusion_model."},
        "vae/sketch-video-vae": {"vae.": ""},
        "checkpoints/sketch-sound-and-words": {
            prefix: prefix for prefix in ("audio_vae.", "vocoder.", "text_embedding_projection.")
        },
    }
    for name, prefixes in parts.items():
        split(whole, models / f"{name}.safetensors", prefixes)
    for source, name in {
        "text_encoders/gemma_3_12B_it_fp4_mixed": "text_encoders/sketch-gemma",
        "loras/ltx-2-19b-lora-camera-control-dolly-in": "loras/sketch-orbit",
    }.items():
        (models / name).parent.mkdir(exist_ok=True)
        shutil.copy(tiny / f"{source}.safetensors", models / f"{name}.safetensors")
    return models


def split(whole: Path, part: Path, prefixes: dict[str, str]) -> None:
    """Copy the tensors under some prefixes, and the header's metadata, into a file of their own."""
    content = whole.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    kept: dict[str, Any] = {"__metadata__": header.pop("__metadata__")}
    chosen = b""
    for name, entry in header.items():
        for prefix, new in prefixes.items():
            if name.startswith(prefix):
                begin, end = entry["data_offsets"]
                offsets = [len(chosen), len(chosen) + end - begin]
                kept[new + name.removeprefix(prefix)] = entry | {"data_offsets": offsets}
                chosen += data[begin:end]
    text = json.dumps(kept).encode()
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(len(text).to_bytes(8, "little") + text + chosen)


def replies(tree: Path, models: Path, work: Path, *jobs: dict[str, Any]) -> list[dict[str, Any]]:
    """What the worker of a tree answers to jobs, one after the other, with nothing but these models."""
    done = subprocess.run(
        [sys.executable, SKETCH / "jobs.py"],
        cwd=tree,
        env=os.environ
        | {
            "PYTHONPATH": str(tree),
            "LTX2_MODELS_DIRS": str(models),
            "LTX2_WORK_DIR": str(work / "work"),
            "LTX2_OUTPUT_DIR": str(work / "videos"),
        },
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]


def picture() -> str:
    data = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def test_its_jobs_are_planned_checked_bound_and_run_by_the_worker_as_it_is(
    tree: Path, models: Path, tmp_path: Path
) -> None:
    job = {"prompt": "a cat", "seed": 4, "preview": True}
    draft, final, planned, *refused = replies(
        tree,
        models,
        tmp_path,
        job | {"quality": "draft", "camera": "orbit"},
        job | {"quality": "final", "steps": 5, "image_base64": picture()},
        job | {"quality": "final", "dry_run": True, "camera": "orbit", "resolution": "720p"},
        job | {"quality": "draft", "camera": "pan"},
        job | {"quality": "draft", "camera": "dolly_in"},
        job | {"quality": "draft", "detailer": True},
        job | {"quality": "fast"},
    )
    for made in (draft, final):
        assert (made["width"], made["height"], made["frames"], made["fps"]) == (448, 256, 12, 12.0), made
        assert made["audio"]
        assert made["versions"]["checkpoint"] == "sketch-transformer.safetensors"
        assert {"sampling", "decoding"} <= made["timings"].keys()
    assert [(made["quality"], made["mode"]) for made in (draft, final)] == [
        ("draft", "t2v"),
        ("final", "i2v"),
    ]
    assert [file["name"] for file in planned["files"]] == [
        *("sketch-transformer.safetensors", "sketch-video-vae.safetensors"),
        *("sketch-sound-and-words.safetensors", "sketch-gemma.safetensors", "sketch-orbit.safetensors"),
    ]
    assert all(file["installed"] for file in planned["files"])
    assert [(reply["code"], reply["field"]) for reply in refused] == [
        ("model_not_installed", "camera"),
        *(("invalid_input", field) for field in ("camera", "detailer", "quality")),
    ]
    assert "sketch-pan.safetensors" in refused[0]["error"]
    assert "draft or final" in refused[-1]["error"]


def test_its_names_are_in_what_is_generated(tree: Path) -> None:
    fields = json.loads((tree / "schema/input.json").read_text())["properties"]
    assert {"draft", "final", "fast", "pro"} == set(fields["quality"]["anyOf"][0]["enum"])
    assert "orbit" in (tree / ".runpod/hub.json").read_text()
    assert "weights-sketch" in (tree / "Dockerfile").read_text()
    assert "Sketch draft 720p 10 s" in (tree / "docs/deploy.md").read_text()
    assert "sketch-transformer.safetensors" in (tree / "docs/deploy.md").read_text()

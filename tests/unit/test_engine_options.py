import dataclasses
import json
from pathlib import Path

import pytest

from ltx2_worker.engine import EngineOptions
from ltx2_worker.engine.options import OWN_NODES
from ltx2_worker.settings import Settings


@pytest.fixture
def options(tmp_path: Path) -> EngineOptions:
    return EngineOptions(
        comfyui_dir=Path("/comfyui"),
        python=Path("/engine/bin/python"),
        work_dir=tmp_path / "work",
        models_dirs=(Path("/first"), Path("/second")),
    )


def test_the_settings_reach_the_command_line() -> None:
    settings = Settings(engine_args="--reserve-vram 2 --fast fp8_matrix_mult", engine_device="cpu")
    flags = EngineOptions.from_settings(settings).flags(8000)
    assert flags[-5:] == ["--cpu", "--reserve-vram", "2", "--fast", "fp8_matrix_mult"]


def test_the_engine_is_reached_from_this_machine_only(options: EngineOptions) -> None:
    flags = options.flags(8000)
    assert flags[flags.index("--listen") + 1] == "127.0.0.1"
    assert flags[flags.index("--port") + 1] == "8000"


def test_the_first_models_folder_wins(options: EngineOptions) -> None:
    """ComfyUI puts a default folder before those it knows, so the last one read comes first."""
    options.prepare()
    paths = json.loads((options.work_dir / "model_paths.yaml").read_text())
    models = [entry for entry in paths.values() if "base_path" in entry]
    assert [entry["base_path"] for entry in models] == ["/second", "/first"]
    assert all(entry["is_default"] for entry in models)


def test_a_models_folder_brings_no_code(options: EngineOptions) -> None:
    options.prepare()
    paths = json.loads((options.work_dir / "model_paths.yaml").read_text())
    assert [entry["custom_nodes"] for entry in paths.values() if "custom_nodes" in entry] == [
        str(OWN_NODES.parent)
    ]
    assert options.flags(1)[-2:] == ["--whitelist-custom-nodes", OWN_NODES.name]


def test_only_named_node_packages_are_loaded(options: EngineOptions, tmp_path: Path) -> None:
    for name in ("good_nodes", "__pycache__", ".git"):
        (tmp_path / "nodes" / name).mkdir(parents=True)
    flags = dataclasses.replace(options, nodes_dirs=(tmp_path / "nodes",)).flags(1)
    assert flags[-4:] == [
        "--disable-all-custom-nodes",
        *("--whitelist-custom-nodes", "engine_nodes", "good_nodes"),
    ]


def test_the_engine_gets_no_secret(options: EngineOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUCKET_SECRET_ACCESS_KEY", "RUNPOD_AI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sesame")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    environment = options.environment()
    assert "sesame" not in environment.values()
    assert environment["CUDA_VISIBLE_DEVICES"] == "0"


def test_the_folders_are_for_this_user_only(options: EngineOptions) -> None:
    options.prepare()
    assert options.output_dir.stat().st_mode & 0o077 == 0

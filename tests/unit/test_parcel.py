"""What travels to a GPU without a network: everything that is missing there, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import parcel
from tests.engine.fixtures import NEEDED

ROOT = Path(__file__).resolve().parents[2]
ENGINE, HANDLER = ((ROOT / "requirements" / f"{name}.lock").read_text() for name in ("engine", "handler"))


def names(pins: list[str]) -> set[str]:
    return {pin.partition("==")[0].lower() for pin in pins}


def test_torch_and_the_page_stay_at_home_and_all_else_travels() -> None:
    packed = names(parcel.wanted(ENGINE, HANDLER, installed=frozenset()))
    assert {"av", "comfy-kitchen", "transformers", "pydantic-settings", "websocket-client"} <= packed
    assert not packed & {"torch", "triton", "nvidia-cublas", "comfyui_frontend_package", "comfy-angle"}


def test_what_the_other_machine_has_is_left_out_however_it_is_spelled() -> None:
    packed = names(
        parcel.wanted(ENGINE, HANDLER, installed={"pydantic-core", "sqlalchemy", "websocket-client"})
    )
    assert not packed & {"pydantic_core", "sqlalchemy", "websocket-client"}
    assert "pydantic" in packed


def test_every_pin_is_exact() -> None:
    assert all(
        pin.partition(";")[0].count("==") == 1
        for pin in parcel.wanted(ENGINE, HANDLER, installed=frozenset())
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(any(name not in os.environ for name in NEEDED), reason="needs the engine")
def test_a_machine_with_torch_and_no_page_runs_the_bench_from_the_parcel(tmp_path: Path) -> None:
    """The engine's own Python has no websocket-client, and plays the machine that has torch."""
    engine = os.environ["LTX2_ENGINE_PYTHON"]
    installed = names(ENGINE.splitlines())
    (tmp_path / "installed.txt").write_text("\n".join(installed - {"av"}))
    module = ["-m", "bench.parcel"]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    packing = ["pack", str(tmp_path / "parcel"), "--python", python]
    packing += ["--installed", str(tmp_path / "installed.txt")]
    subprocess.run([sys.executable, *module, *packing], cwd=ROOT, check=True)
    running = ["run", str(tmp_path / "parcel"), str(tmp_path / "there"), "--smoke", "--cases", "fast-preview"]
    out = tmp_path / "figures.json"
    subprocess.run([engine, *module, *running, "--out", out], cwd=ROOT, check=True)
    (figures,) = json.loads(out.read_text())
    assert figures["case"] == "fast-preview"
    assert set(figures["stages"]) == {"prompt", "sampling", "refining", "decoding"}
    there = tmp_path / "there" / "site"
    assert {path.name.partition("-")[0] for path in there.glob("*.dist-info")} == {"av", "websocket_client"}

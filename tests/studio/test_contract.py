"""What is committed of the API is what the code answers."""

import json
from pathlib import Path

import pytest

from ltx2_studio.contract import Generation
from tests.studio.small_studio import Studio
from tools import typescript
from tools.schemas import studio_openapi

ROOT = Path(__file__).parents[2]


def test_the_committed_openapi_is_the_code_s() -> None:
    committed = json.loads((ROOT / "schema" / "studio.json").read_text(encoding="utf-8"))
    assert committed == studio_openapi(), "out of date: run python -m tools.reference"


def test_what_is_answered_keeps_to_it(studio: Studio) -> None:
    made = studio.ask("first-order").json()
    assert Generation.model_validate(made).model_dump(mode="json") == made
    listed = {"/api/generations", "/api/generations/{generation}/video", "/api/uploads", "/api/account"}
    assert listed <= set(studio.session.get(f"{studio.url}/openapi.json", timeout=10).json()["paths"])


def test_the_types_for_a_front_end_are_of_this_openapi() -> None:
    """Found without node: the file says of what it was made, and what it holds."""
    assert typescript.fault() is None


def test_types_that_are_stale_or_edited_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types = tmp_path / "studio.ts"
    monkeypatch.setattr(typescript, "TYPES", types)
    assert "missing" in str(typescript.fault())
    types.write_text(typescript.headed("export type A = 1;\n"), encoding="utf-8")
    assert typescript.fault() is None
    types.write_text(types.read_text(encoding="utf-8") + "export type B = 2;\n", encoding="utf-8")
    assert "edited" in str(typescript.fault())
    types.write_text(
        typescript.headed("").replace("studio.json: sha256 ", "studio.json: sha256 0\n// "), encoding="utf-8"
    )
    assert "another" in str(typescript.fault())


@pytest.mark.slow
def test_the_generator_makes_the_committed_types_and_a_program_compiles_with_them() -> None:
    """Needs node, npm and the registry: asked for with -m slow, it fails where they are not."""
    assert typescript.check() is None

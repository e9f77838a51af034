"""What is committed of the API is what the code answers."""

import json
from pathlib import Path

from ltx2_studio.contract import Generation
from tests.studio.small_studio import Studio
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

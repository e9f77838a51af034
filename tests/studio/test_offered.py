"""What the endpoint does not offer is in no form, and refused before it is sent; no code names any of it."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from local.runpod import Emulator
from ltx2_api.job import JobInput
from ltx2_api.names import NAMES
from ltx2_studio import offered
from tests.studio.small_studio import JOB, running, settings, sqlite

FAMILY, OTHER = "ltx-2", "ltx-9"


@pytest.fixture
def two_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract with another family, as a later one may have."""
    families = {FAMILY: NAMES.families[FAMILY], OTHER: NAMES.families[FAMILY]}
    monkeypatch.setattr(offered, "NAMES", NAMES.model_copy(update={"families": families}))
    schema = JobInput.model_json_schema()
    schema["properties"]["model"]["anyOf"] = [{"enum": [FAMILY, OTHER], "type": "string"}, {"type": "null"}]
    monkeypatch.setattr(JobInput, "model_json_schema", lambda: schema)


@pytest.mark.parametrize(
    ("offer", "families", "keyframes"),
    [
        ((), [FAMILY, OTHER], False),
        ((OTHER,), [OTHER], False),
        ((FAMILY, "keyframes"), [FAMILY], True),
        (("all",), [FAMILY, OTHER], True),
    ],
)
def test_the_form_holds_what_is_offered(
    two_families: None, offer: tuple[str, ...], families: list[str], keyframes: bool
) -> None:
    fields = offered.schema(offer)["properties"]
    assert {"prompt", "model"} <= set(fields)
    assert "request_id" not in fields
    assert ("keyframes" in fields) == keyframes
    assert fields["model"]["anyOf"][0]["enum"] == families


@pytest.mark.parametrize("offer", [(), ("all",)])
def test_the_form_s_schema_has_the_rules_between_fields(offer: tuple[str, ...]) -> None:
    form = Draft202012Validator(offered.schema(offer))
    assert form.is_valid(JOB | {"steps": 25, "quality": "pro"})
    assert not form.is_valid(JOB | {"steps": 25})
    assert form.is_valid(JOB | {"camera": "static", "camera_strength": 0.5})
    assert not form.is_valid(JOB | {"camera": "none", "camera_strength": 0.5})


@pytest.mark.parametrize(
    ("offer", "job", "fault"),
    [
        ((), {"model": OTHER}, None),
        ((FAMILY,), {"model": OTHER}, "model"),
        ((), {"keyframes": []}, "keyframes"),
        ((), {"keyframes": None}, None),
        (("all",), {"keyframes": [], "model": OTHER}, None),
    ],
)
def test_what_is_not_offered_is_refused(
    two_families: None, offer: tuple[str, ...], job: dict[str, Any], fault: str | None
) -> None:
    assert [found.field for found in offered.faults(offer, job)] == ([fault] if fault else [])


def test_an_offer_that_names_nothing_known_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="none of all"):
        settings("unused", offer="everything")


@pytest.mark.parametrize(("field", "value"), [("aspect", "9:16"), ("duration", 7)])
def test_an_order_beyond_the_offer_is_answered_with_its_field(
    runpod: Emulator, tmp_path: Path, field: str, value: object
) -> None:
    with running(runpod, sqlite(tmp_path)) as studio:
        (model,) = studio.call("GET", "/api/generations/models").json()
        fields = model["input_schema"]["properties"]
        assert "aspect" not in fields
        assert fields["duration"]["enum"] == [10, 15, 20]
        answer = studio.ask("first-order", JOB | {field: value})
        assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, field)

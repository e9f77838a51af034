"""Alerts and dashboard ask for events and fields that the worker's log really has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ltx2_api.errors import ErrorCode
from ltx2_api.progress import Stage
from ltx2_worker import logs

ROOT = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "ops/alerts.yaml").read_text())["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads((ROOT / "ops/dashboard.json").read_text())["panels"]
QUERIES = {rule["alert"]: rule["expr"] for rule in RULES} | {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
}
SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "ltx2_worker").rglob("*.py")]
SOURCES.append((ROOT / "handler.py").read_text(encoding="utf-8"))
#: Fields that are in every line, and those of the lines that sum a job up.
EVERYWHERE = {"event", "level", *logs.ORIGIN}


def named(query: str, pattern: str) -> set[str]:
    return {name.strip() for found in re.findall(pattern, query) for name in re.split(r"[|,]", found)}


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_names_events_codes_and_fields_that_exist(title: str) -> None:
    query = QUERIES[title]
    for event in named(query, r'event=~?"([^"]+)"'):
        assert any(f'"{event}"' in source for source in SOURCES), event
    assert named(query, r'code[!=]~?"([^"]+)"') <= set(ErrorCode)
    for field in named(query, r"unwrap (\w+)") | named(query, r"by \(([^)]+)\)"):
        stage = field.removeprefix("timings_")
        known = field in EVERYWHERE | {"code"} or (stage != field and stage in set(Stage))
        assert known or any(f'"{field}"' in source for source in SOURCES), field
    assert query.count("(") == query.count(")")


def test_every_alert_is_explained() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"`{rule['alert']}`" in page
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]

"""Alerts and dashboards ask for events, metrics and fields that the worker really has."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ltx2_api.errors import ErrorCode
from ltx2_api.progress import Stage
from ltx2_worker import logs, telemetry
from ltx2_worker.telemetry.event import LogEvent
from ltx2_worker.telemetry.metrics import OUTCOMES, JobMetrics

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"
LOKI, PROMETHEUS = OPS / "loki", OPS / "prometheus"
SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "ltx2_worker").rglob("*.py")]
SOURCES.append((ROOT / "handler.py").read_text(encoding="utf-8"))
#: Fields that are in every line, and those of the lines that sum a job up.
EVERYWHERE = {"event", "level", *logs.ORIGIN}
#: What Prometheus adds to a metric's own labels, and what it makes of the resource.
LABELS = {"instance", "job", "le", "outcome"} | {
    name.replace(".", "_") for name in telemetry.resource({"RUNPOD_DC_ID": "EU", "LTX2_REVISION": "0"})
}
UNITS = {"s": "_seconds", "By": "_bytes"}

with_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def rules(folder: Path) -> list[dict[str, Any]]:
    group: list[dict[str, Any]] = yaml.safe_load((folder / "alerts.yaml").read_text())["groups"][0]["rules"]
    return group


def queries(folder: Path) -> dict[str, str]:
    panels = json.loads((folder / "dashboard.json").read_text())["panels"]
    return {rule["alert"]: rule["expr"] for rule in rules(folder)} | {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels
        for target in panel["targets"]
    }


def named(query: str, pattern: str) -> set[str]:
    return {name.strip() for found in re.findall(pattern, query) for name in re.split(r"[|,]", found)}


def check_events_and_codes(query: str) -> None:
    for wanted in re.findall(r'event=~?"([^"]+)"', query):
        for event in wanted.split("|"):
            assert any(re.search(f'"{event}"', source) for source in SOURCES), event
    assert named(query, r'code[!=]~?"([^"]+)"') <= set(ErrorCode)


@pytest.fixture(scope="module")
def metrics() -> dict[str, set[str]]:
    """Every metric as Prometheus names it -> its labels, of one job that was delivered."""
    reader = InMemoryMetricReader()
    metrics = JobMetrics(MeterProvider([reader]).get_meter("test"))
    done = {"quality": "fast", "size": "1280x720", "preview": False, "device": "cpu", "seconds": 10}
    done |= {"credits": 30, "bytes": 1, "job_seconds": 1.0, "upload_seconds": 1.0}
    metrics.take(LogEvent("job done", 0.0, done | {"timings": {"sampling": 1.0}}))
    metrics.take(LogEvent("engine booted", 0.0, {"seconds": 1.0}))
    known: dict[str, set[str]] = {"target_info": set()}
    data = reader.get_metrics_data()
    assert data is not None
    for metric in (m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics):
        name = metric.name.replace(".", "_") + UNITS.get(metric.unit or "", "")
        labels = {label for point in metric.data.data_points for label in point.attributes or {}}
        kinds = ("_bucket", "_sum", "_count") if type(metric.data).__name__ == "Histogram" else ("_total",)
        known |= {name + kind: labels for kind in kinds}
    return known


@pytest.mark.parametrize("title", queries(LOKI))
def test_a_query_of_the_log_names_events_codes_and_fields_that_exist(title: str) -> None:
    query = queries(LOKI)[title]
    check_events_and_codes(query)
    for field in named(query, r"unwrap (\w+)") | named(query, r"by \(([^)]+)\)"):
        stage = field.removeprefix("timings_")
        known = field in EVERYWHERE | {"code"} or (stage != field and stage in set(Stage))
        assert known or any(f'"{field}"' in source for source in SOURCES), field
    assert query.count("(") == query.count(")")


@pytest.mark.parametrize("title", queries(PROMETHEUS))
def test_a_query_of_the_metrics_names_metrics_and_labels_that_exist(
    title: str, metrics: dict[str, set[str]]
) -> None:
    query = queries(PROMETHEUS)[title]
    check_events_and_codes(query)
    used = set(re.findall(r"\b(ltx2_\w+|target_info)", query))
    assert used
    assert used <= set(metrics)
    labels = named(query, r"(?:by|on|group_left) \(([^)]+)\)") | named(query, r'(\w+)[!=]~?"')
    assert labels <= LABELS.union(*(metrics[name] for name in used))
    assert named(query, r'outcome=~?"([^"]+)"') <= set(OUTCOMES.values())


def test_every_alert_is_explained_and_the_same_in_both_forms() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for rule in rules(PROMETHEUS):
        assert f"`{rule['alert']}`" in page
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
    ours = {rule["alert"]: rule["labels"] for rule in rules(PROMETHEUS)}
    assert ours == {rule["alert"]: rule["labels"] for rule in rules(LOKI)}


def test_every_alert_has_a_test_that_it_fires() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules(PROMETHEUS)}


@with_promtool
def test_prometheus_s_own_tool_takes_the_rules_and_their_tests(tmp_path: Path) -> None:
    # A dashboard's queries are checked as the recording rules that they could be.
    recorded = [
        {"record": f"panel:{index}", "expr": query}
        for index, query in enumerate(queries(PROMETHEUS).values())
    ]
    panels = tmp_path / "panels.yaml"
    panels.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    for command in (
        ["check", "rules", str(PROMETHEUS / "alerts.yaml")],
        ["test", "rules", str(PROMETHEUS / "alerts_test.yaml")],
        ["check", "rules", str(panels)],
    ):
        ended = subprocess.run(
            ["promtool", *command], capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

"""One line an event, and nothing a stranger sent can forge one."""

import ast
import json
import logging
from pathlib import Path

import pytest

import ltx2_worker
from ltx2_worker import logs


def test_a_machine_reads_json_with_job_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(as_json=True, level="INFO")
    token = logs.JOB_ID.set("job-1")
    logging.getLogger("ltx2_worker.test").info("job done", extra={"bytes": 7})
    logs.JOB_ID.reset(token)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["job_id"], line["bytes"], line["level"]) == ("job done", "job-1", 7, "info")


@pytest.mark.parametrize("as_json", [True, False])
def test_line_breaks_in_what_is_logged_do_not_make_lines(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    logs.set_up(as_json=as_json, level="INFO")
    logging.getLogger("ltx2_worker.test").info("a\nb", extra={"field": "x\nERROR forged"})
    assert capsys.readouterr().err.count("\n") == 1


def test_a_long_field_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(as_json=True, level="INFO")
    logging.getLogger("ltx2_worker.test").info("e", extra={"text": "x" * 100_000})
    assert len(capsys.readouterr().err) < 2 * logs.MAX_FIELD


def test_every_event_has_one_name_and_carries_its_values_as_fields() -> None:
    package = Path(ltx2_worker.__file__).parent
    told: dict[str, str] = {}
    for path in package.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="log" | "engine_log"),
                        attr="debug" | "info" | "warning" | "error" | "exception" | "critical",
                    ),
                    args=arguments,
                ) if "storage" not in path.parts:  # its events are put in order with its rooms
                    told[f"{path.name}:{call.lineno}"] = " ".join(map(ast.unparse, arguments))
    wrong = {place: event for place, event in told.items() if "%" in event or event.startswith("f'")}
    assert told
    assert not wrong

"""Traces and metrics of the worker's events, at a receiver that speaks OTLP; and that none is waited for."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from ltx2_worker import logs, telemetry
from tests.otlp_receiver import Receiver, attributes_of, receiving

log = logging.getLogger("ltx2_worker.test")

ACCEPTED = {
    "mode": "t2v",
    "quality": "fast",
    "preview": False,
    "size": "1280x720",
    "seconds": 10,
    "credits": 30,
}
DONE = ACCEPTED | {
    "job_seconds": 42.5,
    "upload_seconds": 1.5,
    "bytes": 1_000_000,
    "recorded": True,
    "timings": {"sampling": 30.0, "delivering": 2.0},
    "checkpoint": "a.safetensors",
    "device": "cpu",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def exporting(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[telemetry.Telemetry]:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logging.getLogger("ltx2_worker"), "level", logging.INFO)
    started = telemetry.start(variables | {"RUNPOD_POD_ID": "pod7", "LTX2_REVISION": "0123abc"})
    assert started is not None
    yield started
    started.close()


def job(job_id: str, *stages: str) -> None:
    log.info("job accepted", extra={"job_id": job_id, **ACCEPTED})
    for stage in stages:
        log.info("job stage", extra={"job_id": job_id, "stage": stage})


@pytest.mark.usefixtures("exporting")
def test_a_job_is_one_trace_that_its_id_names_with_a_span_for_each_stage(receiver: Receiver) -> None:
    job("a-1", "sampling", "delivering")
    log.info("job done", extra={"job_id": "a-1", **DONE})
    spans = receiver.wait_spans("a-1", {"job", "preparing", "sampling", "delivering"})
    assert {span.trace_id.hex() for span in spans.values()} == {f"{telemetry.trace_id('a-1'):032x}"}
    whole = spans.pop("job")
    assert not whole.parent_span_id
    assert {span.parent_span_id for span in spans.values()} == {whole.span_id}
    assert attributes_of(whole)["ltx2.quality"] == "fast"
    assert attributes_of(whole)["ltx2.job_seconds"] == "42.5"
    ends = [span.end_time_unix_nano for span in sorted(spans.values(), key=lambda s: s.start_time_unix_nano)]
    assert ends == sorted(ends)
    assert receiver.resource["service.instance.id"] == "pod7"
    assert receiver.resource["vcs.ref.head.revision"] == "0123abc"


@pytest.mark.usefixtures("exporting")
def test_a_failure_is_marked_in_the_trace_and_counted_under_its_code(receiver: Receiver) -> None:
    token = logs.JOB_ID.set("b-1")
    log.warning("job failed", extra={"code": "invalid_input", "field": "duration", "error": "No."})
    logs.JOB_ID.reset(token)
    (span,) = receiver.wait_spans("b-1", {"job"}).values()
    assert (span.status.code, span.status.message) == (2, "No.")
    assert receiver.wait_metric("ltx2.jobs", outcome="failed", code="invalid_input") == 1
    assert receiver.metric("ltx2.jobs", outcome="failed", code="out_of_memory") == 0
    assert receiver.metric("ltx2.events", event="engine ended") == 0


@pytest.mark.usefixtures("exporting")
def test_a_delivered_job_is_measured(receiver: Receiver) -> None:
    job("c-1")
    log.info("job done", extra={"job_id": "c-1", **DONE})
    log.info("engine booted", extra={"seconds": 5.0})
    kind = {"quality": "fast", "size": "1280x720"}
    assert receiver.wait_metric("ltx2.job.duration", device="cpu", **kind) == 1
    assert receiver.wait_metric("ltx2.stage.duration", stage="sampling", **kind) == 1
    assert receiver.wait_metric("ltx2.video.size", **kind) == 1_000_000
    assert receiver.wait_metric("ltx2.credits", **kind) == 30
    assert receiver.wait_metric("ltx2.engine.boot.duration") == 1


def test_a_silent_receiver_holds_up_neither_an_event_nor_the_end(
    receiver: Receiver, exporting: telemetry.Telemetry
) -> None:
    receiver.silent.set()
    began = time.monotonic()
    for number in range(3 * telemetry.WAITING_EVENTS):
        log.info("job stage", extra={"job_id": str(number), "stage": "sampling"})
    assert time.monotonic() - began < 5
    began = time.monotonic()
    exporting.close()
    assert time.monotonic() - began < telemetry.CLOSE_SECONDS + 1


def test_an_event_of_another_shape_ends_nothing(receiver: Receiver, exporting: telemetry.Telemetry) -> None:
    log.info("job done", extra={"job_id": "d-0"})
    log.info("job done", extra={"job_id": "d-1", **DONE})
    exporting.close()
    assert receiver.wait_metric("ltx2.job.duration") == 1


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_without_a_receiver_there_is_no_telemetry(environment: dict[str, str]) -> None:
    assert telemetry.start(environment) is None


def test_another_protocol_is_said_to_be_unknown(caplog: pytest.LogCaptureFixture) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert telemetry.start(environment) is None
    assert "telemetry not started" in caplog.text


def test_the_sdk_is_imported_only_where_it_is_used() -> None:
    script = (
        "import sys, json, os, ltx2_worker.telemetry as t; t.start(os.environ);"
        "print(json.dumps([m for m in sys.modules if m.startswith('opentelemetry.sdk')]))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == []

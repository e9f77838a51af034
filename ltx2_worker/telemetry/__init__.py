"""Traces and metrics by OTLP, made of the worker's log events, where the operator names a receiver.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set. A job never waits for it: an event is put into a queue that is
dropped from when it is full, a thread of its own reads that queue, and the OpenTelemetry SDK, which takes a
second to import, is imported there.
"""

import logging
import os
import queue
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import __version__, logs
from .event import CLOSE_SECONDS, LogEvent, trace_id

if TYPE_CHECKING:
    from .exporting import Exporting

log = logging.getLogger(__name__)

__all__ = ["CLOSE_SECONDS", "WAITING_EVENTS", "Telemetry", "start", "trace_id"]

#: OpenTelemetry's own variables; any of these turns telemetry on.
ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
OUR_PROTOCOL = "http/protobuf"
#: Events that may wait; a job has about twenty.
WAITING_EVENTS = 2_000


class Telemetry(logging.Handler):
    """Hears the worker's events, and hands them to the thread that exports them.

    Arguments:
        environment: says who we are; the SDK reads its own variables from the process's.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(logging.INFO)
        self._resource = resource(environment)
        self._events: queue.Queue[LogEvent | None] = queue.Queue(WAITING_EVENTS)
        self._thread = threading.Thread(target=self._export, daemon=True, name="telemetry")
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take an event without waiting; when too many wait already it is left out."""
        event = LogEvent(record.getMessage(), record.created, logs.fields_of(record))
        try:
            self._events.put_nowait(event)
        except queue.Full:
            return

    def close(self) -> None:
        """Send what is left, for some seconds at most."""
        logging.getLogger("ltx2_worker").removeHandler(self)
        try:
            self._events.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_SECONDS)
        super().close()

    def _export(self) -> None:
        try:
            from .exporting import Exporting  # noqa: PLC0415 - see above

            exporting = Exporting(self._resource)
        except Exception:
            log.exception("telemetry not started")
            return
        while (event := self._events.get()) is not None:
            _take(exporting, event)
        exporting.close()


def start(environment: Mapping[str, str]) -> Telemetry | None:
    """Begin to export if the operator asked for it; return what to close in the end."""
    if not any(environment.get(name) for name in ENDPOINTS):
        return None
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if (protocol := environment.get(PROTOCOL, OUR_PROTOCOL)) != OUR_PROTOCOL:
        log.warning("telemetry not started", extra={"why": f"{PROTOCOL}={protocol}; only {OUR_PROTOCOL}"})
        return None
    telemetry = Telemetry(environment)
    logging.getLogger("ltx2_worker").addHandler(telemetry)
    return telemetry


def resource(environment: Mapping[str, str]) -> dict[str, str]:
    """Who exports, in OpenTelemetry's words; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES add to it."""
    known = {
        "service.instance.id": environment.get("RUNPOD_POD_ID") or f"local-{os.getpid()}",
        "cloud.region": environment.get("RUNPOD_DC_ID"),
        "vcs.ref.head.revision": environment.get("LTX2_REVISION"),
        "service.version": __version__,
    }
    name = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "ltx2-worker"}
    return name | {key: value for key, value in known.items() if value}


def _take(exporting: "Exporting", event: LogEvent) -> None:
    try:
        exporting.take(event)
    except Exception:
        # One event that cannot be understood must not end the others; and it is not told in the log, which
        # would make another event of it.
        logging.getLogger("ltx2_worker.telemetry").debug("telemetry event not understood", exc_info=True)

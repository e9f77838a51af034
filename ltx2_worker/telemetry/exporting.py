"""The OpenTelemetry SDK: log events as spans and metrics, sent from threads of their own."""

import logging
import time
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .event import CLOSE_SECONDS, LogEvent
from .metrics import JobMetrics
from .spans import JobSpans, TraceIdOfJob

log = logging.getLogger(__name__)

#: Between two lines about a receiver that takes nothing.
_QUIET_SECONDS = 600.0


class Exporting:
    """Both signals; the SDK's queues, batches and time-outs are set by its own OTEL_* variables.

    Arguments:
        about: the resource's attributes.
    """

    def __init__(self, about: Mapping[str, str]) -> None:
        sdk = logging.getLogger("opentelemetry")
        sdk.handlers[:], sdk.propagate = [_Told()], False
        resource = Resource.create(dict(about))
        ids = TraceIdOfJob()
        # Neither may hold up the end of the process, as they would by default.
        self._traces = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._meters = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self._spans = JobSpans(self._traces.get_tracer("ltx2_worker"), ids)
        self._metrics = JobMetrics(self._meters.get_meter("ltx2_worker"))
        # Counters are known as 0 before they count: what rises from nothing is no increase to Prometheus.
        self._reader.force_flush()

    def take(self, event: LogEvent) -> None:
        """Make of an event what is to be sent."""
        self._spans.take(event)
        self._metrics.take(event)

    def close(self) -> None:
        """Send what is left."""
        self._spans.close()
        self._traces.force_flush(int(CLOSE_SECONDS * 500))
        self._reader.force_flush(CLOSE_SECONDS * 500)


class _Told(logging.Handler):
    """What the SDK has to say, as one event now and then: its own lines quote addresses."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        if (now := time.monotonic()) - self._last > _QUIET_SECONDS:
            self._last = now
            log.warning("telemetry not delivered")

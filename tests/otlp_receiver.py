"""A receiver that speaks OTLP over HTTP with the protocol's own messages, and can misbehave."""

import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

T = TypeVar("T")


class Receiver:
    """What was received so far."""

    def __init__(self) -> None:
        self.url = ""
        self.silent = threading.Event()
        self.release = threading.Event()
        self.requests = 0
        self._arrived = threading.Condition()
        self._spans: list[Span] = []
        self._metrics: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.resource: dict[str, str] = {}

    def wait_spans(self, job_id: str, names: set[str], timeout: float = 30) -> dict[str, Span]:
        """Return the spans of a job by name, once all of these are here."""
        return self._wait(lambda: self._of(job_id), lambda found: names <= set(found), timeout)

    def wait_metric(self, name: str, **attributes: str) -> float:
        """Return the newest sum, or count of a histogram, of the points with these attributes; above 0."""
        return self._wait(lambda: self._sum(name, attributes), lambda value: value > 0)

    def metric(self, name: str, **attributes: str) -> float | None:
        """The same as it is now; None where there is no such point."""
        with self._arrived:
            known = any(key[0] == name and set(attributes.items()) <= key[1] for key in self._metrics)
            return self._sum(name, attributes) if known else None

    def names(self) -> set[str]:
        """Every metric that has come."""
        with self._arrived:
            return {name for name, _ in self._metrics}

    def take(self, path: str, body: bytes) -> bytes:
        """Read one request; return the answer."""
        with self._arrived:
            self.requests += 1
            if path == "/v1/traces":
                for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    self._note(of_resource.resource)
                    self._spans += [span for scope in of_resource.scope_spans for span in scope.spans]
                answer: Any = ExportTraceServiceResponse()
            else:
                for one in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    self._note(one.resource)
                    for metric in (metric for scope in one.scope_metrics for metric in scope.metrics):
                        self._count(metric)
                answer = ExportMetricsServiceResponse()
            self._arrived.notify_all()
        return bytes(answer.SerializeToString())

    def _note(self, resource: Any) -> None:
        self.resource = {each.key: each.value.string_value for each in resource.attributes}

    def _count(self, metric: Any) -> None:
        if metric.HasField("histogram"):
            points = [(point, float(point.count)) for point in metric.histogram.data_points]
        else:
            points = [(point, float(point.as_double or point.as_int)) for point in metric.sum.data_points]
        for point, value in points:
            attributes = frozenset((each.key, _text(each.value)) for each in point.attributes)
            self._metrics[metric.name, attributes] = value

    def _of(self, job_id: str) -> dict[str, Span]:
        return {span.name: span for span in self._spans if attributes_of(span).get("ltx2.job.id") == job_id}

    def _sum(self, name: str, attributes: dict[str, str]) -> float:
        wanted = set(attributes.items())
        return sum(value for key, value in self._metrics.items() if key[0] == name and wanted <= key[1])

    def _wait(self, look: Callable[[], T], is_enough: Callable[[T], bool], timeout: float = 30) -> T:
        with self._arrived:
            assert self._arrived.wait_for(lambda: is_enough(look()), timeout), look()
            return look()


def attributes_of(span: Span) -> dict[str, str]:
    """A span's attributes as text."""
    return {each.key: _text(each.value) for each in span.attributes}


def _text(value: Any) -> str:
    return str(getattr(value, value.WhichOneof("value")))


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a port of its own."""
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if receiver.silent.is_set():
                receiver.requests += 1
                receiver.release.wait(60)
                return
            answer = receiver.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        receiver.release.set()
        server.shutdown()
        server.server_close()

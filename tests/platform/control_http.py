"""The control plane's HTTP: RunPod's protocol as runpod 1.12.0 speaks it, with faults.

Source: its serverless/modules rp_job.py, rp_http.py and rp_ping.py. job-take and
job-take-batch hold a request until there is a job or answer 204; job-done gets progress and results at one
address, told apart by status IN_PROGRESS; job-stop holds until there is an id to stop; ping carries the ids
in hand.
"""

import json
import select
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.platform.messages import Fault, PlatformJob, Route

if TYPE_CHECKING:
    from tests.platform.control_plane import ControlPlane

API_KEY = "control-plane-key"
WORKER_ID = "worker-under-test"


class ControlServer(ThreadingHTTPServer):
    """Listens on a free loopback port for one `ControlPlane`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, plane: "ControlPlane") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plane = plane

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Workers are killed in tests: a connection that they broke is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """HTTP in front of ControlPlane: /v2/<endpoint>/<route>/<worker>[/<job>]?<query>."""

    protocol_version = "HTTP/1.1"
    server: ControlServer

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Requests are kept in `ControlPlane.requests`, not printed."""

    def _serve(self, body: Any) -> None:
        url = urlsplit(self.path)
        name, worker_id, *rest = url.path.removeprefix("/v2/endpoint/").split("/")
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if self.headers.get("Authorization") != API_KEY or worker_id != WORKER_ID:
            self._answer(401, None)
            return
        if name == "job-done":
            name = Route.PROGRESS if body.get("status") == "IN_PROGRESS" else Route.RESULT
        route, job_id = Route(name), rest[0] if rest else None
        fault = self.server.plane.receive(route, job_id, query, body) or Fault()
        if fault.status is not None:
            self._answer(fault.status, None)
            return
        delivered: list[PlatformJob] = []
        try:
            status, answer = (
                self._effect(route, job_id, query, body, delivered) if fault.served else (200, None)
            )
            if not fault.answered:
                raise ConnectionAbortedError
            self._answer(status, answer)
        except OSError:
            self.server.plane.put_back(delivered)
            self._hang_up()

    def _effect(
        self, route: Route, job_id: str | None, query: dict[str, str], body: Any, delivered: list[PlatformJob]
    ) -> tuple[int, Any]:
        plane = self.server.plane
        match route:
            case Route.TAKE | Route.TAKE_BATCH:
                delivered += plane.take(int(query.get("batch_size", 1)), self._client_gone)
                jobs = [{"id": job.id, "input": job.input} | job.beside for job in delivered]
                return (200, jobs if route is Route.TAKE_BATCH else jobs[0]) if jobs else (204, None)
            case Route.STOP:
                stops = plane.take_stops(self._client_gone)
                return (200, {"jobsToStop": stops}) if stops else (204, None)
            case Route.PROGRESS | Route.RESULT:
                return (200, {}) if plane.post(job_id or "", body) else (404, None)
            case Route.STREAM | Route.PING:
                return 200, {}

    def _answer(self, status: int, body: Any) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    def _client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the worker was first

"""A real S3 protocol server (moto), and a proxy before it that fails on purpose."""

import http.client
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import boto3
from moto.server import ThreadedMotoServer
from mypy_boto3_s3 import S3Client

ACCESS_KEY = "AKIALAB0000000SECRET"
SECRET_KEY = "lab/secret+key/never-to-be-seen-0123456789"
BUCKET = "videos"

XML_ERROR = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{key}</Message></Error>"


@dataclass(frozen=True)
class Request:
    """One request as the proxy sees it before deciding what to do to it."""

    method: str
    path: str
    query: str
    headers: frozenset[str] = frozenset()

    @property
    def is_part(self) -> bool:
        return self.method == "PUT" and "partNumber=" in self.query


#: What to do to a request: (status, code) is answered, "reset" breaks the connection in the middle of the
#: body, "hang" never answers, "corrupt" flips a byte of the body, "lie" answers with another size than
#: there is, and ends the connection.
Fault = tuple[int, str] | str


@dataclass
class Proxy:
    """Passes S3 requests on, but for those that a rule picks."""

    url: str
    log: list[Request] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    released: threading.Event = field(default_factory=threading.Event)
    rule: Callable[[Request], Fault | None] = lambda request: None

    def fail(self, fault: Fault, times: int, where: Callable[[Request], bool] = lambda request: True) -> None:
        """Do `fault` to the next `times` requests that `where` picks."""
        left, lock = [times], threading.Lock()

        def rule(request: Request) -> Fault | None:
            with lock:
                if left[0] > 0 and where(request):
                    left[0] -= 1
                    return fault
            return None

        self.rule = rule

    def fail_always(self, fault: Fault, where: Callable[[Request], bool] = lambda request: True) -> None:
        """Do `fault` to every request that `where` picks."""
        self.rule = lambda request: fault if where(request) else None

    def heal(self) -> None:
        """Pass everything on again."""
        self.rule = lambda request: None


@contextmanager
def moto_server() -> Iterator[str]:
    """A moto server with the bucket in it; yields its address."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client(url).create_bucket(Bucket=BUCKET)
    try:
        yield url
    finally:
        server.stop()


def client(url: str) -> S3Client:
    """A plain boto3 client: the tests' own view of the bucket."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


@contextmanager
def proxy_before(upstream: str) -> Iterator[Proxy]:
    """A fault proxy before `upstream`."""
    state = Proxy(url="")
    port = urlsplit(upstream).port

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            path, _, query = self.path.partition("?")
            request = Request(self.command, path, query, frozenset(name.lower() for name in self.headers))
            state.log.append(request)
            fault = state.rule(request)
            if fault is not None:
                state.faults[fault if isinstance(fault, str) else fault[1]] += 1
            length = int(self.headers.get("Content-Length", 0))
            if fault == "reset":
                self.rfile.read(length // 2)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.close_connection = True
                self.connection.close()
                return
            body = self._body(length)
            if fault == "hang":
                state.released.wait(60)
                self.close_connection = True
                return
            if isinstance(fault, tuple):
                status, code = fault
                answer = XML_ERROR.format(code=code, key=SECRET_KEY).encode()
                self._answer(status, [("Content-Type", "application/xml")], answer, len(answer))
                return
            if fault == "corrupt":
                middle = len(body) // 2
                body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in {"transfer-encoding", "expect"}
            }
            headers["Content-Length"] = str(len(body))
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            size = int(response.headers.get("Content-Length", len(content)))
            self._answer(
                response.status, response.getheaders(), content, size + 1 if fault == "lie" else size
            )
            connection.close()

        def _body(self, length: int) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(length)
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, size: int) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in {
                    "content-length",
                    "connection",
                    "transfer-encoding",
                    "date",
                    "server",
                }:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
                self.close_connection = self.close_connection or size != len(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)

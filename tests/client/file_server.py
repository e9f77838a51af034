"""A store that answers GET with Range, and does what stores and lines do to a download when told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served, and what goes wrong with the next requests.

    Attributes:
        files: path -> content.
        faults: for each request to come: "cut" ends the connection after half of what was asked for, "flip"
            changes a byte in the middle, "whole" ignores the range, a number is answered instead.
        gone: paths that are answered with 403, as a presigned link that has expired.
        asked: path and range of each request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str | int] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def link(self, path: str) -> str:
        return self.url + path


@contextmanager
def file_server() -> Iterator[FileServer]:
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            assert self.headers.get("Authorization") is None, "the API key left for a stranger"
            fault = state.faults.pop(0) if state.faults else None
            content = state.files.get(self.path)
            if isinstance(fault, int) or content is None or self.path in state.gone:
                self._answer(fault if isinstance(fault, int) else 403 if self.path in state.gone else 404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            if fault == "whole":
                start = 0
            if start >= len(content) and start:
                self._answer(416)
                return
            body = content[start:]
            self.send_response(206 if wanted and fault != "whole" else 200)
            if wanted and fault != "whole":
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault == "flip":
                middle = len(body) // 2
                body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
            if fault == "cut":
                body = body[: len(body) // 2]
                self.close_connection = True
            try:
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # the client has seen enough

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()

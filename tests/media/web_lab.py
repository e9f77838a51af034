"""A web server on this machine that misbehaves, one way a path."""

import socketserver
import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Web:
    """The running server: its address, the paths asked for, and what it serves under /file."""

    url: str
    content: bytes = b""
    asked: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)


def head(status: str = "200 OK", **headers: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, "", ""]).encode()


def drip(web: Web, content: Iterable[bytes]) -> Iterator[bytes]:
    for piece in content:
        yield piece
        if web.closing.wait(0.02):
            return


def gzip_bomb() -> Iterator[bytes]:
    """4 GB of zeros in 4 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(4000):
        yield packer.compress(bytes(1_000_000))
    yield packer.flush()


def redirect(to: str | None) -> list[bytes]:
    return [head("302 Found", Content_Length=0, **({"Location": to} if to else {}))]


#: What is sent for the first part of a path, piece by piece; `argument` is the rest of the path.
BEHAVIOURS: dict[str, Callable[[Web, str], Iterable[bytes]]] = {
    "file": lambda web, _: [head(Content_Length=len(web.content)), web.content],
    "undeclared": lambda web, _: [head(), web.content],
    "wrong-type": lambda web, _: [
        head(Content_Length=len(web.content), Content_Type="text/html"),
        web.content,
    ],
    "status": lambda _, argument: [head(f"{argument} Whatever", Content_Length=2), b"no"],
    "empty": lambda *_: [head(Content_Length=0)],
    "silent": lambda web, _: iter(web.closing.wait, True),
    "drip-headers": lambda web, _: drip(web, chain([b"HTTP/1.1 200 OK\r\nX: "], repeat(b"x"))),
    "drip-body": lambda web, _: drip(web, chain([head(Content_Length=20_000)], repeat(b"x"))),
    "endless": lambda *_: chain([head()], repeat(bytes(100_000))),
    "endless-headers": lambda *_: chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"X: " + b"x" * 1000 + b"\r\n")),
    "short": lambda web, _: [head(Content_Length=len(web.content) + 10), web.content],
    "claims-much": lambda web, _: [head(Content_Length=10**15), web.content],
    "gzip-bomb": lambda *_: chain([head(Content_Encoding="gzip")], gzip_bomb()),
    "broken-gzip": lambda *_: [head(Content_Encoding="gzip", Content_Length=8), b"no gzip!"],
    "redirect": lambda _, argument: redirect(unquote(argument)),
    "loop": lambda *_: redirect("/loop"),
    "nowhere": lambda *_: redirect(None),
    "length-of-4000-digits": lambda web, _: [head(Content_Length="9" * 4000), web.content],
    "length-of-5000-digits": lambda web, _: [head(Content_Length="9" * 5000), web.content],
    "two-lengths": lambda web, _: [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        web.content,
    ],
    "negative-chunk": lambda *_: [head(Transfer_Encoding="chunked"), b"-5\r\nhello\r\n0\r\n\r\n"],
    "header-without-colon": lambda *_: [b"HTTP/1.1 404 Not Found\r\nno colon here\r\n\r\n"],
    "no-http": lambda *_: [b"\0\1 this is no HTTP \xff\r\n\r\n"],
}


def behaviour(web: Web, path: str) -> Iterable[bytes]:
    name, _, argument = path.strip("/").partition("/")
    return BEHAVIOURS.get(name, BEHAVIOURS["file"])(web, argument)


def _handler(web: Web) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline(10_000).split()
            if len(line) < 2:
                return
            web.asked.append(line[1].decode("latin-1"))
            while self.rfile.readline(10_000).strip():
                pass
            web.arrived.set()
            with suppress(OSError):
                for piece in behaviour(web, web.asked[-1].partition("?")[0]):
                    self.wfile.write(piece)
                return
            web.left.set()  # the client went away before it had everything

    return Handler


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is what the tests are about."""


@contextmanager
def serving(wrap: Callable[[_Server], None] | None = None, scheme: str = "http") -> Iterator[Web]:
    web = Web("")
    with _Server(("127.0.0.1", 0), _handler(web)) as server:
        if wrap:
            wrap(server)
        web.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.closing.set()
            server.shutdown()
            thread.join()


@contextmanager
def serving_tls(folder: Path) -> Iterator[Web]:
    """The same over TLS, with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    ).sign(key, hashes.SHA256())
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )

    def wrap(server: _Server) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)

    with serving(wrap, "https") as web:
        yield web

"""An HTTP server that answers every request with the same bytes, whatever they are."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def answer(body: bytes, *headers: bytes, status: int = 200, length: bytes | None = None) -> bytes:
    """An answer as it goes over the line; with the length that it has, or says that it has."""
    told = str(len(body)).encode() if length is None else length
    head = (b"HTTP/1.1 %d Told" % status, b"Content-Length: " + told, b"Connection: close", *headers)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Answer until the block ends; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:  # closed
                    return
                threading.Thread(target=reply, args=(line,), daemon=True).start()

        def reply(line: socket.socket) -> None:
            with line:
                try:
                    line.settimeout(10)
                    while b"\r\n\r\n" not in line.recv(1 << 20):
                        pass
                    line.sendall(answer)
                    line.shutdown(socket.SHUT_WR)
                    while line.recv(1 << 16):
                        pass
                except OSError:  # the other side has heard enough
                    pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)

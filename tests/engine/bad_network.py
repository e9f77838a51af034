"""A TCP proxy between the driver and the engine that misbehaves on demand: cuts, garbage, lost replies."""

import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable

_EMPTY_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
)


class BadNetwork:
    """Passes everything on until told otherwise; `heal` ends every fault.

    `route` is what the engine takes: the port to talk to for a port of the engine.
    """

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._websockets: list[socket.socket] = []
        self._listeners: list[socket.socket] = []
        self.heal()

    def heal(self) -> None:
        #: Replies with bytes that are no HTTP, and cuts.
        self.garbage = False
        #: Counts the looks at /queue and /history that were answered so.
        self.looks_spoilt = threading.Semaphore(0)
        #: Answers /history with {} so many times.
        self.histories_withheld = 0
        #: Lets so many submissions through but never their replies.
        self.replies_lost = 0
        #: Answers POST /free with bytes that are no HTTP, so many times.
        self.frees_lost = 0
        #: Repeats, reorders and pollutes the engine's websocket messages.
        self.mangle = False
        self.cuts = 0

    def route(self, engine_port: int) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        self._thread(self._accept, listener, engine_port)
        return int(listener.getsockname()[1])

    def close(self) -> None:
        for listener in self._listeners:
            _cut(listener)
        self.cut_websockets()

    def cut_websockets(self) -> int:
        """Cut every websocket now; return how many there were."""
        with self._lock:
            victims, self._websockets = self._websockets, []
        for victim in victims:
            _cut(victim)
        self.cuts += len(victims)
        return len(victims)

    def _accept(self, listener: socket.socket, engine_port: int) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._thread(self._serve, client, engine_port)

    def _serve(self, client: socket.socket, engine_port: int) -> None:
        try:
            head = client.recv(65536)
            if self.garbage:
                client.sendall(self._random.randbytes(200))
                if head.startswith((b"GET /queue", b"GET /history/")):
                    self.looks_spoilt.release()
                return
            if head.startswith(b"GET /history/") and self.histories_withheld > 0:
                self.histories_withheld -= 1
                client.sendall(_EMPTY_ANSWER)
                return
            if head.startswith(b"POST /free") and self.frees_lost > 0:
                self.frees_lost -= 1
                client.sendall(self._random.randbytes(200))
                return
            with socket.create_connection(("127.0.0.1", engine_port)) as engine:
                engine.sendall(head)
                self._join(head, client, engine)
        except OSError:
            pass
        finally:
            _cut(client)

    def _join(self, head: bytes, client: socket.socket, engine: socket.socket) -> None:
        self._thread(_pump, client, engine)
        if head.startswith(b"POST /prompt") and self.replies_lost > 0:
            self.replies_lost -= 1
            engine.recv(1)  # the engine has taken the prompt when it begins to reply
            return
        if not head.startswith(b"GET /ws"):
            _pump(engine, client)
            return
        with self._lock:
            self._websockets.append(client)
        if self.mangle:
            self._pump_mangled(engine, client)
        else:
            _pump(engine, client)

    def _pump_mangled(self, engine: socket.socket, client: socket.socket) -> None:
        stream = engine.makefile("rb")
        while (line := stream.readline()) != b"\r\n":
            client.sendall(line)
        client.sendall(b"\r\n")
        held: bytes | None = None
        while frame := _read_frame(stream.read):
            copies = [frame, frame] if self._random.random() < 0.5 else [frame]
            if held is None and self._random.random() < 0.3:
                held = frame
                continue
            for piece in (*copies, *self._pollution(), *((held,) if held else ())):
                client.sendall(piece)
            held = None

    def _pollution(self) -> list[bytes]:
        strange = [
            _frame(1, b"not json"),
            _frame(1, b"[1, 2]"),
            _frame(
                1, json.dumps({"type": "executing", "data": {"node": None, "prompt_id": "other"}}).encode()
            ),
            _frame(1, json.dumps({"type": "execution_error", "data": {"prompt_id": "other"}}).encode()),
            _frame(2, b""),
            _frame(2, b"\x00\x00\x00\x04\xff\xff\xff\xffgarbage"),
            _frame(9, b"ping"),
        ]
        return self._random.sample(strange, 2)

    @staticmethod
    def _thread(target: Callable[..., None], *args: object) -> None:
        threading.Thread(target=target, args=args, daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    _cut(sink)


def _cut(victim: socket.socket) -> None:
    with contextlib.suppress(OSError):
        victim.shutdown(socket.SHUT_RDWR)
    victim.close()


def _frame(opcode: int, payload: bytes) -> bytes:
    """A websocket frame from a server (RFC 6455, section 5.2), payload below 126 bytes."""
    return bytes([0x80 | opcode, len(payload)]) + payload


def _read_frame(read: Callable[[int], bytes]) -> bytes:
    head = read(2)
    if len(head) < 2:
        return b""
    size = head[1] & 0x7F
    extended = read({126: 2, 127: 8}.get(size, 0))
    if extended:
        size = int.from_bytes(extended, "big")
    return head + extended + read(size)

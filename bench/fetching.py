"""How fast a caller's file is fetched, beside a plain download from the same server."""

import functools
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

import requests

from bench.lab import scratch
from bench.table import Row, spread
from ltx2_worker.deadline import Deadline
from ltx2_worker.media import isolate
from ltx2_worker.media.fetch import CHUNK, Source, fetch
from ltx2_worker.settings import Settings

SIZES = (("image", 20), ("control video", 100))
REPEATS = 7


def rows() -> list[Row]:
    """Measure both sizes, each beside the plain download, in turns."""
    settings = Settings(allow_private_urls=True)
    isolate.warm_up()
    time.sleep(3)  # as long as the worker's engine boots
    with scratch() as folder, _server(folder) as url:
        return [_row(folder, url, settings, what, size) for what, size in SIZES]


def _row(folder: Path, url: str, settings: Settings, what: str, megabytes: int) -> Row:
    (folder / "file").write_bytes(bytes(megabytes * 1_000_000))
    ours, plain = [], []
    source = Source("image_url", url=f"{url}/file")
    for repeat in range(REPEATS + 1):
        begun = time.monotonic()
        fetch(source, folder / "fetched", megabytes * 1_000_000, Deadline(60), settings)
        between = time.monotonic()
        _plain(f"{url}/file", folder / "plain")
        if repeat:  # the first of each fills caches
            ours.append(between - begun)
            plain.append(time.monotonic() - between)
    differences = [mine - other for mine, other in zip(ours, plain, strict=True)]
    return Row(
        f"fetch of a {megabytes} MB {what}",
        f"{spread(ours, 'ms', scale=1000)}, {spread(differences, 'ms', scale=1000)} more than plain",
        "the loopback's own speed",
    )


def _plain(url: str, target: Path) -> None:
    with requests.get(url, stream=True, timeout=60) as response, target.open("wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A web server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, folder), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join(10)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Not into the table."""


def _serve(pipe: Connection, folder: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    pipe.send(server.server_port)
    server.serve_forever()

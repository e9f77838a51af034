"""A server that speaks the Hugging Face Hub's download protocol, with the faults that the real one can have.

HEAD and GET of /<repo>/resolve/<revision>/<path> answer with X-Repo-Commit, X-Linked-Size and X-Linked-Etag
and redirect to a CDN on another host name, which serves ranges; refusals carry X-Error-Code. A file with an
`xet_hash` also gets the headers that lead to Xet storage, which is hf_xet's own local store.
Sources: huggingface_hub's file_download.py and utils/_http.py, RFC 9110 for ranges.
"""

import argparse
import hashlib
import json
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" * 6 + "beef"


@dataclass
class Served:
    """One file of the hub, and how it misbehaves."""

    content: bytes
    cuts: list[int] = field(default_factory=list)  # the next GETs end after so many bytes
    busy: int = 0  # so many GETs are answered 503 first
    claimed_size: int | None = None
    claimed_sha256: str | None = None
    refusal: tuple[int, str] | None = None  # status and X-Error-Code
    token: str | None = None  # the only token that opens it
    ignores_ranges: bool = False
    xet_hash: str | None = None
    starts: list[int] = field(default_factory=list)  # offsets at which GETs began
    hold: threading.Event | None = None  # a GET stops half way until this is set
    held: threading.Event = field(default_factory=threading.Event)


class LocalHub:
    """Serves `files` ((repo, path) -> Served) on a free port of 127.0.0.1; use as a context manager."""

    def __init__(self, files: dict[tuple[str, str], Served], xet_store: Path | None = None, port: int = 0):
        self.files = files
        self.xet_store = xet_store
        self.cdn_saw_token = False
        self.hub_saw_tokens: set[str] = set()
        hub = self

        class Handler(_Handler):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "LocalHub":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: LocalHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        token = self.headers.get("Authorization")
        if self.path.startswith("/cdn/"):
            self.owner.cdn_saw_token |= token is not None
            repo, _, path = self.path.removeprefix("/cdn/").partition("//")
            self._serve(self.owner.files[repo, path])
        elif "/xet-read-token/" in self.path:
            self._grant_xet()
        else:
            if token:
                self.owner.hub_saw_tokens.add(token)
            self._resolve(token)

    def _resolve(self, token: str | None) -> None:
        repo, _, rest = self.path.strip("/").partition("/resolve/")
        path = rest.partition("/")[2]
        if repo not in {known for known, _ in self.owner.files}:
            return self._refuse(401, "RepoNotFound")
        served = self.owner.files.get((repo, path))
        if served is None:
            return self._refuse(404, "EntryNotFound")
        if served.refusal:
            return self._refuse(*served.refusal)
        if served.token and token != f"Bearer {served.token}":
            return self._refuse(401, "GatedRepo")
        if self.command == "GET" and served.busy:
            served.busy -= 1
            return self._refuse(503, "")
        digest = served.claimed_sha256 or hashlib.sha256(served.content).hexdigest()
        self.send_response(302)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Size", str(served.claimed_size or len(served.content)))
        self.send_header("X-Linked-Etag", f'"{digest}"')
        self.send_header("Location", f"http://localhost:{self.owner.port}/cdn/{repo}//{path}")
        if served.xet_hash:
            self.send_header("X-Xet-Hash", served.xet_hash)
            route = f"{self.owner.endpoint}/api/models/{repo}/xet-read-token/{COMMIT}"
            self.send_header("X-Xet-Refresh-Route", route)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _grant_xet(self) -> None:
        body = json.dumps(
            {
                "accessToken": "local",
                "exp": int(time.time()) + 600,
                "casUrl": f"local://{self.owner.xet_store}",
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self, served: Served) -> None:
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not served.ignores_ranges else 0
        served.starts.append(start)
        body = served.content[start:]
        self.send_response(206 if start else 200)
        if start:
            total = len(served.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if served.cuts:
            self.wfile.write(body[: served.cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        if served.hold:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            served.held.set()
            served.hold.wait(30)
            body = body[len(body) // 2 :]
        self.wfile.write(body)


def serve_folders(models: list[Path], list_file: Path, port: int) -> None:
    """Serve models folders (ComfyUI's layout) in place of the real weights until the process is ended.

    Arguments:
        models: the folders; their files take the place of those of the same name in files.toml.
        list_file: a files.toml that names just these files is written here.
        port: port on 127.0.0.1.
    """
    from ltx2_worker.catalog.files import ModelLibrary, manifest

    files, entries = {}, []
    for file in manifest().values():
        path = ModelLibrary(models).find(file)
        if path is None:
            continue
        content = path.read_bytes()
        files[file.repo, file.path] = Served(content)
        values = asdict(file) | {
            "revision": "main",
            "size": len(content),
            "size_exact": True,
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        del values["id"], values["replaced_by"]
        values = {key: value for key, value in values.items() if value is not None}
        entries.append(
            f"[{file.id}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        )
    with LocalHub(files, port=port) as hub:
        list_file.write_text("\n".join(entries))  # written last: its presence says that the hub answers
        print(f"{len(files)} files at {hub.endpoint}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, action="append", required=True)
    parser.add_argument("--list-file", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    serve_folders(args.models, args.list_file, args.port)

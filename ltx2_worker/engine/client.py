"""ComfyUI's HTTP and websocket API, typed; no policy.

Routes and bodies: ComfyUI 0.30.0, `server.py`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import websocket

from .events import FEATURE_FLAGS

Graph = dict[str, Any]

#: The engine answers from memory; what takes longer than this is asked for again. It is also the longest that
#: a deadline or a cancel waits for an engine that does not answer.
_TIMEOUT = 1.0
_SUBMIT_TIMEOUT = 5.0
_OBJECT_INFO_TIMEOUT = 60.0


class NoAnswer(Exception):  # noqa: N818 - a state of the other side, not a fault of ours
    """The engine did not answer, or not in a way that can be understood."""


class Refused(Exception):  # noqa: N818
    """The engine rejected a graph (HTTP 4xx or 5xx, or 200 with node errors); `body` is its whole answer."""

    def __init__(self, body: str) -> None:
        super().__init__("the engine refused the graph")
        self.body = body


@dataclass(frozen=True)
class Queue:
    """Prompt ids in the engine's queue, in its order."""

    running: tuple[str, ...]
    pending: tuple[str, ...]

    def __contains__(self, prompt_id: str) -> bool:
        return prompt_id in self.running or prompt_id in self.pending


@dataclass(frozen=True)
class Saved:
    """A file as /history names it, relative to the output folder."""

    filename: str
    subfolder: str


@dataclass(frozen=True)
class Finished:
    """A prompt that is over: what it saved, or why it failed.

    Arguments:
        saved: files of type "output".
        error: the data of `execution_error`, empty if there was none.
        interrupted: whether it was stopped on request.
    """

    saved: tuple[Saved, ...]
    error: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False

    def paths(self, output_dir: Path) -> tuple[Path, ...]:
        """The saved files on disk; a name that leads out of `output_dir` is left out."""
        paths = (output_dir / file.subfolder / file.filename for file in self.saved)
        return tuple(path for path in paths if path.resolve().is_relative_to(output_dir.resolve()))


class EngineApi:
    """The API of the ComfyUI that listens on a loopback port.

    Every method raises `NoAnswer` when the engine gives none that makes sense.

    Arguments:
        port: the loopback port to talk to.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def answers(self) -> None:
        """Return if the engine answers: the cheapest question there is."""
        if "exec_info" not in self._get("/prompt"):
            raise NoAnswer("unexpected answer to /prompt")

    def arguments(self) -> list[str]:
        """The command line of the process that answers: it may be another program's, on the same port."""
        answer = self._get("/system_stats", _SUBMIT_TIMEOUT)
        try:
            return [str(argument) for argument in answer["system"]["argv"]]
        except (LookupError, TypeError) as error:
            raise NoAnswer("unexpected answer to /system_stats") from error

    def object_info(self) -> dict[str, Any]:
        """Every node class that the engine knows, its inputs and, for model inputs, the files it sees."""
        return dict(self._get("/object_info", _OBJECT_INFO_TIMEOUT))

    def submit(self, prompt_id: str, client_id: str, graph: Graph, *, previews: bool) -> None:
        """Put a graph into the queue.

        Raises:
            Refused: the graph is wrong; it was not queued, or only a part of it was.
        """
        body: dict[str, Any] = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id}
        if previews:
            body["extra_data"] = {"preview_method": "latent2rgb"}
        response = self._send("POST", "/prompt", body, _SUBMIT_TIMEOUT)
        if not response.ok or self._json(response).get("node_errors"):
            raise Refused(response.text)

    def queue(self) -> Queue:
        """What runs and what waits."""
        answer = self._get("/queue")
        try:
            running, pending = (
                sorted((item[0], str(item[1])) for item in answer[key])
                for key in ("queue_running", "queue_pending")
            )
        except (LookupError, TypeError) as error:
            raise NoAnswer("unexpected answer to /queue") from error
        return Queue(tuple(i for _, i in running), tuple(i for _, i in pending))

    def history(self, prompt_id: str) -> Finished | None:
        """How a prompt ended, or None if it has not, or is not known."""
        answer = self._get(f"/history/{prompt_id}")
        if prompt_id not in answer:
            return None
        try:
            return _finished(answer[prompt_id])
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise NoAnswer("unexpected answer to /history") from error

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt off the queue, or interrupt it if it runs; nothing happens to any other prompt.

        This route looks and acts under the queue's lock, which `/interrupt` does not.
        """
        self._post(f"/api/jobs/{prompt_id}/cancel", {})

    def forget(self, prompt_id: str) -> None:
        """Remove a prompt's history entry; the engine keeps up to 10,000 of them with their whole graphs."""
        self._post("/history", {"delete": [prompt_id]})

    def free(self) -> None:
        """Ask the engine to unload all weights and drop all kept results before its next prompt."""
        self._post("/free", {"unload_models": True, "free_memory": True})

    def listen(self, client_id: str, timeout: float) -> websocket.WebSocket:
        """A websocket that receives the messages of the prompts submitted with this client id."""
        try:
            socket = websocket.create_connection(
                f"ws://127.0.0.1:{self._port}/ws?clientId={client_id}",
                timeout=_TIMEOUT * 2,
                http_no_proxy=["127.0.0.1"],
            )
            socket.send(json.dumps(FEATURE_FLAGS))
            socket.settimeout(timeout)
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise NoAnswer("no websocket") from error
        return socket

    def _get(self, path: str, timeout: float = _TIMEOUT) -> dict[str, Any]:
        return self._json(self._send("GET", path, None, timeout))

    def _post(self, path: str, body: dict[str, Any]) -> None:
        response = self._send("POST", path, body, _TIMEOUT)
        if not response.ok:
            raise NoAnswer(f"{path}: HTTP {response.status_code}")

    def _send(self, method: str, path: str, body: dict[str, Any] | None, timeout: float) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # an HTTP proxy of the environment is not for loopback
            try:
                return session.request(
                    method, f"http://127.0.0.1:{self._port}{path}", json=body, timeout=timeout
                )
            except requests.RequestException as error:
                raise NoAnswer(f"{method} {path}: {type(error).__name__}") from error

    @staticmethod
    def _json(response: requests.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError as error:
            raise NoAnswer("not JSON") from error
        if not response.ok or not isinstance(answer, dict):
            raise NoAnswer(f"HTTP {response.status_code}")
        return answer


def _finished(entry: dict[str, Any]) -> Finished:
    messages = {str(name): data for name, data in entry["status"]["messages"]}
    saved = tuple(
        Saved(str(item["filename"]), str(item.get("subfolder", "")))
        for output in entry["outputs"].values()
        for item in (output or {}).get("images", ())
        if item.get("type") == "output"
    )
    return Finished(saved, messages.get("execution_error", {}), "execution_interrupted" in messages)

"""Watches one submitted prompt until it ends: the websocket is fast, and only /history is certain."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import websocket

from ..deadline import Deadline
from .client import EngineApi, Finished, Graph, NoAnswer
from .events import Ended, Event, Queued, Started, parse
from .supervisor import EngineInstance

log = logging.getLogger(__name__)

#: How long a wait for a message lasts, and so how soon a cancel, a deadline or a crash is noticed (seconds).
_TICK = 0.2
#: /queue and /history are asked this often, whatever the websocket says.
_LOOK_EVERY = 2.0
#: ... and this often once the prompt should be over: /history comes a moment after the message.
_LOOK_EVERY_AT_END = 0.05
#: A prompt that is neither queued nor in the history for this long is lost.
_GONE_TIMEOUT = 10.0
#: A prompt that waits for this long while nothing runs: the engine's worker thread is dead.
_IDLE_TIMEOUT = 60.0
#: After this much silence the websocket is renewed: when a client comes back before ComfyUI has noticed that
#: the old connection is gone, closing the old one unregisters the new one (`websocket_handler`, 0.30.0).
_RENEW_AFTER = 10.0
#: Gives ComfyUI the time to notice the end of the old connection first.
_RECONNECT_DELAY = 0.05
_SUBMIT_TRIES = 5


class PromptLost(Exception):  # noqa: N818 - the caller decides
    """The engine knows nothing of the prompt, or somebody else has interrupted it."""


@dataclass(frozen=True)
class Submission:
    """A graph as it is submitted.

    Arguments:
        id: the prompt id, a UUID of our choice.
        client_id: names the websocket that gets its messages.
        graph: in ComfyUI's API format.
        previews: whether previews of the picture are wanted.
    """

    id: str
    client_id: str
    graph: Graph
    previews: bool


class Listener:
    """The websocket of one client id, connected again whenever it breaks."""

    def __init__(self, api: EngineApi, client_id: str) -> None:
        self._api = api
        self._client_id = client_id
        self._socket: websocket.WebSocket | None = None
        self._heard = time.monotonic()
        self.connect()

    def connect(self) -> None:
        """Connect anew; a failure is tried again by `receive`."""
        self.close()
        self._heard = time.monotonic()
        try:
            self._socket = self._api.listen(self._client_id, _TICK)
        except NoAnswer:
            log.debug("websocket not connected")

    def receive(self) -> str | bytes | None:
        """The next message, or None if none came within a tick."""
        if self._socket is None:
            time.sleep(_RECONNECT_DELAY)
            self.connect()
            return None
        try:
            kind, message = self._socket.recv_data()
        except websocket.WebSocketTimeoutException:
            if time.monotonic() - self._heard > _RENEW_AFTER:
                self.connect()
            return None
        except (websocket.WebSocketException, OSError, ValueError) as error:
            log.info("websocket broke", extra={"error": type(error).__name__})
            self._drop()
            return None
        self._heard = time.monotonic()
        if kind == websocket.ABNF.OPCODE_BINARY:
            return bytes(message)
        if kind == websocket.ABNF.OPCODE_TEXT:
            return bytes(message).decode(errors="replace")
        self._drop()
        return None

    def close(self) -> None:
        """Say goodbye, so that the engine forgets this connection before a next one."""
        if self._socket is not None:
            self._socket.close(timeout=1)
            self._socket = None

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.shutdown()  # type: ignore[no-untyped-call]
            self._socket = None


class PromptWatcher:
    """One prompt on one instance of the engine.

    Arguments:
        instance: the engine.
        prompt: what to submit.
        deadline: the job's.
        stall_timeout: seconds without an event of the running prompt after which the engine hangs.
        on_event: told what happens.
    """

    def __init__(
        self,
        instance: EngineInstance,
        prompt: Submission,
        deadline: Deadline,
        stall_timeout: float,
        on_event: Callable[[Event], None],
    ) -> None:
        self._instance = instance
        self._prompt = prompt
        self._deadline = deadline
        self._stall_timeout = stall_timeout
        self._on_event = on_event
        #: Whether the engine was seen to execute this prompt.
        self.started = False

    def submit(self) -> None:
        """Put the prompt into the engine's queue, once, even if the reply to it is lost.

        Raises:
            Refused: the graph is wrong.
            EngineLost: the engine is gone.
        """
        for _ in range(_SUBMIT_TRIES):
            try:
                prompt = self._prompt
                self._instance.api.submit(prompt.id, prompt.client_id, prompt.graph, previews=prompt.previews)
                return
            except NoAnswer as error:
                log.warning("no reply to the prompt", extra={"error": str(error)})
            if self._was_taken():
                return
        self._instance.request_restart("it takes no prompts")
        while True:
            self._check()
            self._deadline.sleep(_TICK)

    def watch(self, listener: Listener) -> Finished:
        """Report what happens until the prompt is over.

        Raises:
            EngineLost: the engine is gone.
            PromptLost: the engine knows nothing of this prompt.
        """
        self._on_event(Queued())
        self._gone_since: float | None = None
        self._busy = time.monotonic()
        ended = False
        next_look = time.monotonic() + _LOOK_EVERY
        while True:
            self._check()
            if not ended:
                event = self._next_event(listener)
                ended = isinstance(event, Ended)
            else:
                self._deadline.sleep(_LOOK_EVERY_AT_END)
            if ended or time.monotonic() >= next_look:
                next_look = time.monotonic() + _LOOK_EVERY
                if finished := self._look():
                    return finished

    def _next_event(self, listener: Listener) -> Event | Ended | None:
        message = listener.receive()
        event = None if message is None else parse(message, self._prompt.id)
        if event is None:
            return None
        self._busy = time.monotonic()
        if isinstance(event, Ended):
            return event
        if isinstance(event, Started):
            if self.started:  # a duplicate, or /queue has told it already
                return None
            self.started = True
        self._on_event(event)
        return event

    def _look(self) -> Finished | None:
        """Ask the engine itself where the prompt is."""
        now = time.monotonic()
        api, prompt_id = self._instance.api, self._prompt.id
        try:
            # In this order: a prompt moves from the queue to the history in one step.
            queue = api.queue()
            finished = api.history(prompt_id)
        except NoAnswer:
            return None  # the supervisor watches how long this lasts
        if finished is not None:
            return finished
        if prompt_id not in queue:
            self._gone_since = self._gone_since or now
            if now - self._gone_since > _GONE_TIMEOUT:
                raise PromptLost
            return None
        self._gone_since = None
        if prompt_id in queue.running and not self.started:
            self.started = True
            self._busy = now
            self._on_event(Started())
        if queue.running and prompt_id not in queue.running:
            self._busy = now
        limit = self._stall_timeout if queue.running else _IDLE_TIMEOUT
        if now - self._busy > limit:
            self._instance.request_restart(f"a prompt has made no progress for {limit:.0f} s")
        return None

    def _was_taken(self) -> bool:
        """Whether the prompt turns up in the queue or the history within a few seconds."""
        for _ in range(10):
            self._check()
            try:
                if self._prompt.id in self._instance.api.queue() or self._instance.api.history(
                    self._prompt.id
                ):
                    return True
            except NoAnswer:
                pass
            self._deadline.sleep(_TICK)
        return False

    def _check(self) -> None:
        self._deadline.check()
        self._instance.check()

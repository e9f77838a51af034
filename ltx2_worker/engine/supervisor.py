"""Keeps one ComfyUI running: boots it, watches it, restarts it with back-off, gives it up, stops it."""

import logging
import threading
import time
from collections.abc import Callable

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from .abandoned import AbandonedPrompts
from .client import EngineApi, NoAnswer
from .events import RestartReason
from .job_order import JobOrder
from .options import EngineOptions
from .process import EngineProcess, free_port

log = logging.getLogger(__name__)

_TICK = 0.1
_PROBE_EVERY = 2.0
_PORT_TRIES = 5
_LONGEST_BACKOFF = 30.0


class EngineLost(Exception):  # noqa: N818 - what to do about it is decided where it is caught
    """The engine that a graph was given to is gone."""

    def __init__(self, instance: "EngineInstance") -> None:
        super().__init__(instance.reason)
        self.instance = instance


class PortTaken(Exception):  # noqa: N818
    """Another process got the engine's port between our choice of it and the engine's bind."""


class EngineInstance:
    """One life of the engine, from the moment it answers until it is lost.

    Arguments:
        number: counts the engine's lives.
        process: its process.
        api: how to talk to it.
    """

    def __init__(self, number: int, process: EngineProcess, api: EngineApi) -> None:
        self.number = number
        self.process = process
        self.api = api
        self.reason = RestartReason.ENGINE_STOPPED
        #: The number of the ticket that was executing when it was lost.
        self.executing_ticket: int | None = None
        self.abandoned = AbandonedPrompts()
        self.lost = threading.Event()
        self.restart_requested = threading.Event()

    def check(self) -> None:
        """Raise `EngineLost` once it is lost."""
        if self.lost.is_set():
            raise EngineLost(self)

    def request_restart(self, why: str) -> None:
        """Ask for a restart: the engine answers, but does no work."""
        if not self.restart_requested.is_set():
            log.error("engine restart requested", extra={"why": why})
            self.restart_requested.set()


class Supervisor:
    """Owns the engine's process, on a thread of its own.

    Arguments:
        options: how to start the engine.
        order: asked which ticket was executing when the engine was lost.
        route: the port to talk to for a port that the engine listens on; tests put a bad network in between.
    """

    def __init__(self, options: EngineOptions, order: JobOrder, route: Callable[[int], int]) -> None:
        self.gave_up = threading.Event()
        self._options = options
        self._order = order
        self._route = route
        self._changed = threading.Condition()
        self._instance: EngineInstance | None = None
        self._instances = 0
        self._crashes = 0
        self._stopping = threading.Event()
        self._grace_seconds = 0.0
        # The engine dies with this thread (see launch.py): it must last as long as the engine is wanted.
        self._thread = threading.Thread(target=self._supervise, name="engine-supervisor", daemon=True)

    def start(self) -> None:
        """Begin booting; returns at once."""
        self._thread.start()

    def wait_ready(self, deadline: Deadline) -> EngineInstance:
        """The engine, once it answers.

        Raises:
            WorkerError: it was given up, or is being stopped, or the deadline has passed.
            Cancelled: the job was.
        """
        with self._changed:
            while True:
                deadline.check()
                if self._stopping.is_set():
                    raise WorkerError(
                        ErrorCode.SHUTTING_DOWN, "The worker is shutting down; send the job again."
                    )
                if self.gave_up.is_set():
                    raise WorkerError(
                        ErrorCode.ENGINE_UNAVAILABLE,
                        "The video engine of this worker does not run; send the job again.",
                    )
                if self._instance is not None:
                    return self._instance
                self._changed.wait(deadline.remaining(_TICK))

    @property
    def instance(self) -> EngineInstance | None:
        """The engine if it answers now."""
        with self._changed:
            return self._instance

    def succeeded(self) -> None:
        """Note that the engine has finished a prompt: crashes before it no longer count."""
        with self._changed:
            self._crashes = 0

    def stop(self, grace_seconds: float) -> None:
        """End the engine: SIGTERM, at most `grace_seconds`, SIGKILL. A second call does nothing."""
        self._grace_seconds = grace_seconds
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(grace_seconds + 20)

    def _supervise(self) -> None:
        ports_lost = 0
        while not self._stopping.is_set():
            try:
                self._live_once()
            except PortTaken:
                log.warning("engine port taken")
                ports_lost += 1
                if ports_lost < _PORT_TRIES:
                    continue
            except Exception:
                # A fault of ours must end as an engine that was given up, not as one that never gets ready.
                log.exception("engine not started")
            if self._stopping.is_set():
                break
            with self._changed:
                self._crashes += 1
                crashes = self._crashes
            if crashes >= self._options.max_crashes:
                log.error("engine given up", extra={"crashes": crashes})
                break
            # The first restart comes at once: most crashes happen once.
            self._stopping.wait(min(_LONGEST_BACKOFF, 2.0 ** (crashes - 1) - 1))
        with self._changed:
            if not self._stopping.is_set():
                self.gave_up.set()
            self._changed.notify_all()

    def _live_once(self) -> None:
        self._options.prepare()
        process = EngineProcess(self._options, free_port())
        instance: EngineInstance | None = None
        try:
            instance = self._await_answer(process)
            if instance is not None:
                instance.reason = self._watch(instance)
        finally:
            status = process.exit_status()
            process.end(self._grace_seconds if self._stopping.is_set() else 0)
            self._lose(instance)
        if not self._stopping.is_set():
            # A status of None: it was killed because it hung.
            log.error("engine ended", extra={"exit_status": status, "output": process.last_lines()})

    def _await_answer(self, process: EngineProcess) -> EngineInstance | None:
        """Wait until the process answers on its port, and publish it; None if it does not."""
        started = time.monotonic()
        api = EngineApi(self._route(process.port))
        while time.monotonic() - started < self._options.start_timeout and process.exit_status() is None:
            if self._stopping.wait(_TICK):
                return None
            try:
                arguments = api.arguments()
            except NoAnswer:
                continue
            if arguments[1:] != process.flags:
                raise PortTaken
            with self._changed:
                self._instances += 1
                self._instance = instance = EngineInstance(self._instances, process, api)
                self._changed.notify_all()
            log.info("engine booted", extra={"seconds": round(time.monotonic() - started, 1)})
            return instance
        if process.port_was_taken():
            raise PortTaken
        if process.exit_status() is None:  # one that ended is told of where it is seen off
            log.error("engine did not answer", extra={"seconds": round(time.monotonic() - started)})
        return None

    def _watch(self, instance: EngineInstance) -> RestartReason:
        """Wait until the engine exits or hangs, or is to stop."""
        answered = probed = time.monotonic()
        while not self._stopping.wait(_TICK):
            now = time.monotonic()
            if instance.process.exit_status() is not None:
                return RestartReason.ENGINE_STOPPED
            if instance.restart_requested.is_set():
                return RestartReason.ENGINE_HUNG
            if now - probed < _PROBE_EVERY:
                continue
            probed = now
            try:
                instance.api.answers()
                answered = now
                overdue = instance.abandoned.poll(instance.api, self._options.output_dir)
                if overdue > self._options.interrupt_timeout:
                    instance.request_restart(f"an interrupted prompt has gone on for {overdue:.0f} s")
            except NoAnswer:
                if now - answered > self._options.answer_timeout:
                    instance.request_restart(f"no answer for {now - answered:.0f} s")
        return RestartReason.ENGINE_STOPPED

    def _lose(self, instance: EngineInstance | None) -> None:
        """Tell everyone who waits for this instance that it is gone."""
        with self._changed:
            self._instance = None
            if instance is not None:
                instance.executing_ticket = self._order.first_submitted(instance.number)
                instance.lost.set()
            self._changed.notify_all()

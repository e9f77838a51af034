"""The engine as the rest of the worker sees it: a ComfyUI that this worker owns and that runs graphs."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from .client import Graph, NoAnswer
from .events import Event
from .job_order import JobOrder, Ticket
from .options import EngineOptions
from .run import GraphRun
from .supervisor import Supervisor

_OBJECT_INFO_TRIES = 3


def _direct(port: int) -> int:
    return port


def _ignore(_: Event) -> None:
    return None


class Engine:
    """A ComfyUI process with the order of its jobs; may be used from several threads.

    Arguments:
        options: how to start it.
        route: the port to talk to for the port that the engine listens on; tests put a bad network
            in between.
    """

    def __init__(self, options: EngineOptions, *, route: Callable[[int], int] = _direct) -> None:
        self._options = options
        self._order = JobOrder()
        self._supervisor = Supervisor(options, self._order, route)
        self._object_info: tuple[int, dict[str, Any]] | None = None
        self._object_info_lock = threading.Lock()

    @property
    def input_dir(self) -> Path:
        """Where the files that a graph loads are put; what is put there is removed by who put it."""
        return self._options.input_dir

    @property
    def output_dir(self) -> Path:
        """Where graphs save; `run` returns paths below it, which the caller removes."""
        return self._options.output_dir

    @property
    def version(self) -> str:
        """ComfyUI's version."""
        return self._options.version

    @property
    def options(self) -> EngineOptions:
        """How it is started; its encoders are started likewise."""
        return self._options

    @property
    def gave_up(self) -> threading.Event:
        """Set after too many crashes in a row; from then on every run fails at once."""
        return self._supervisor.gave_up

    @property
    def is_up(self) -> bool:
        """Whether the engine has booted and is not lost."""
        return self._supervisor.instance is not None

    @property
    def pid(self) -> int | None:
        """The engine's process id, which is its process group's too; None while it does not answer."""
        instance = self._supervisor.instance
        return instance.process.pid if instance else None

    def start(self) -> None:
        """Begin booting; returns at once. From here on the engine is restarted whenever it is lost."""
        self._options.prepare()
        self._supervisor.start()

    def wait_ready(self, deadline: Deadline) -> None:
        """Return once the engine answers.

        Raises:
            WorkerError: ENGINE_UNAVAILABLE, SHUTTING_DOWN, DEADLINE_EXCEEDED.
            Cancelled: the job was.
        """
        self._supervisor.wait_ready(deadline)

    def object_info(self, deadline: Deadline) -> dict[str, Any]:
        """Every node class with its inputs and the model files it sees; asked for once per instance."""
        for _ in range(_OBJECT_INFO_TRIES):
            instance = self._supervisor.wait_ready(deadline)
            with self._object_info_lock:
                if self._object_info is None or self._object_info[0] != instance.number:
                    try:
                        self._object_info = (instance.number, instance.api.object_info())
                    except NoAnswer:
                        deadline.sleep(1)
                        continue
                return self._object_info[1]
        raise WorkerError(ErrorCode.ENGINE_UNAVAILABLE, "The video engine of this worker does not answer.")

    def device(self) -> str:
        """What the engine computes on, such as `cuda:0 NVIDIA H100`; empty while it does not answer."""
        instance = self._supervisor.instance
        try:
            return instance.api.device() if instance else ""
        except NoAnswer:
            return ""

    def take_ticket(self) -> Ticket:
        """A place in the order of jobs, to be taken when a job arrives and released in every case."""
        return self._order.take()

    def run(
        self,
        graph: Graph,
        *,
        ticket: Ticket,
        job_key: str,
        deadline: Deadline,
        on_event: Callable[[Event], None] = _ignore,
        previews: bool = False,
        is_made: Callable[[], bool] | None = None,
    ) -> tuple[Path, ...]:
        """Run a graph to its end and return the files that it saved (`images` of type "output").

        The graph reaches the engine after those of all earlier tickets. When the engine crashes or hangs as
        it executes, the graph is run once more; one that only waited is queued again, as often as needed.
        When memory is short, or the picture unusable, memory is freed and the graph run once more. The ticket
        is released in every case.

        Arguments:
            graph: in ComfyUI's API format; its output nodes' `filename_prefix` must be this job's own.
            ticket: from `take_ticket`.
            job_key: names the job; prompt ids are UUIDs made from it.
            deadline: the job's; a cancel or the deadline interrupts the prompt.
            on_event: told what happens, on the calling thread.
            previews: whether the engine is to send previews of the picture (one JPEG per sampling step).
            is_made: for a graph that saves no file: whether what it makes is complete outside the engine, as
                frames that an encoder has taken are; then the engine may be lost.

        Raises:
            WorkerError: GENERATION_FAILED, OUT_OF_MEMORY, STORAGE_UNAVAILABLE, ENGINE_CRASHED,
                ENGINE_UNAVAILABLE, SHUTTING_DOWN, DEADLINE_EXCEEDED.
            EncoderLost: frames went to an encoder that is gone, or takes none.
            Cancelled: the job was.
        """
        return GraphRun(
            options=self._options,
            supervisor=self._supervisor,
            order=self._order,
            graph=graph,
            ticket=ticket,
            job_key=job_key,
            deadline=deadline,
            on_event=on_event,
            previews=previews,
            is_made=is_made,
        ).run()

    def stop(self, grace_seconds: float = 5) -> None:
        """End the engine and everything it started; runs in hand fail with SHUTTING_DOWN."""
        self._supervisor.stop(grace_seconds)

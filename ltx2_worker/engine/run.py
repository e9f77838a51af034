"""Run one graph to its files: submitted in order, tried again where that helps, cleaned up in every case."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from . import failures
from .abandoned import cancel_and_clean, discard
from .client import Finished, Graph, NoAnswer, Refused
from .encoder import EncoderLost
from .events import Event, Restarted, RestartReason
from .failures import Failure
from .job_order import JobOrder, Ticket
from .options import EngineOptions
from .prompt_watcher import Listener, PromptLost, PromptWatcher, Submission
from .supervisor import EngineInstance, EngineLost, Supervisor

log = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("2f1c7a52-6e0b-5a53-9d0e-0f4c1c6b9a11")
#: How long a cancelled prompt may take to end before its run returns without it.
_LEAVE_SECONDS = 0.6
_LEAVE_POLL = 0.05
#: A graph that computes nothing.
_NOTHING: Graph = {"1": {"class_type": "PreviewAny", "inputs": {"source": ""}}}
#: Faults for each of which a graph is run once more, and what a second one ends in.
_TWICE = {
    RestartReason.OUT_OF_MEMORY: failures.out_of_memory,
    RestartReason.UNUSABLE_PICTURE: failures.unusable_picture,
}


class TryAgain(Exception):  # noqa: N818 - a step of a run, not an error
    """This try failed in a way that another one may not."""

    def __init__(self, why: RestartReason) -> None:
        super().__init__(why)
        self.why = why


@dataclass
class GraphRun:
    """One graph on its way through the engine.

    Arguments:
        options, supervisor, order: the engine's.
        graph: in ComfyUI's API format.
        ticket: this graph's place in the order.
        job_key: names the job; prompt ids are made from it.
        deadline: the job's.
        on_event: told what happens, on the thread of the run.
        previews: whether previews of the picture are wanted.
        is_made: whether what the graph makes is complete outside the engine; None: it saves files.
    """

    options: EngineOptions
    supervisor: Supervisor
    order: JobOrder
    graph: Graph
    ticket: Ticket
    job_key: str
    deadline: Deadline
    on_event: Callable[[Event], None]
    previews: bool
    is_made: Callable[[], bool] | None
    _started: bool = field(default=False, init=False)

    def run(self) -> tuple[Path, ...]:
        """Run the graph, once more after a fault of each kind; return its files."""
        failed: set[RestartReason] = set()
        attempt = 1
        try:
            while True:
                instance = self.supervisor.wait_ready(self.deadline)
                try:
                    return self._try(instance, attempt)
                except TryAgain as again:
                    why, charged = again.why, True
                except EngineLost as lost:
                    why, charged = lost.instance.reason, self._was_executing(lost.instance)
                if self.is_made is not None and self.is_made():
                    log.info("prompt complete without its engine", extra={"why": why})
                    return ()
                if charged:
                    self._charge(why, failed)
                    attempt += 1
                log.warning("job run again", extra={"job_id": self.job_key, "why": why})
                self._tell(Restarted(why))
        finally:
            self.ticket.release()

    def _charge(self, why: RestartReason, failed: set[RestartReason]) -> None:
        """Count a failed try; raise if it was the second of its kind: an engine lost, or one of `_TWICE`."""
        kind = why if why in _TWICE else RestartReason.ENGINE_STOPPED
        if kind in failed:
            raise _TWICE.get(kind, failures.engine_crashed)()
        failed.add(kind)

    def _was_executing(self, instance: EngineInstance) -> bool:
        return self._started or instance.executing_ticket == self.ticket.number

    def _try(self, instance: EngineInstance, attempt: int) -> tuple[Path, ...]:
        self._started = False
        self.order.wait(self.ticket, instance.number, lambda: self._check(instance))
        # The ticket makes it this run's own, should the platform send the same job twice.
        prompt_id = str(uuid.uuid5(_NAMESPACE, f"{self.job_key}/{self.ticket.number}/{attempt}"))
        prompt = Submission(prompt_id, uuid.uuid4().hex, self.graph, self.previews)
        watcher = PromptWatcher(instance, prompt, self.deadline, self.options.stall_timeout, self._tell)
        try:
            finished = self._execute(
                watcher, instance, prompt, lambda: self.order.submitted(self.ticket, instance.number)
            )
        finally:
            self._started = watcher.started
        return self._result(instance, finished)

    def _execute(
        self,
        watcher: PromptWatcher,
        instance: EngineInstance,
        prompt: Submission,
        on_submitted: Callable[[], None] = lambda: None,
    ) -> Finished:
        """Submit a prompt, watch it to its end, and leave no trace of it."""
        listener = Listener(instance.api, prompt.client_id)
        finished: Finished | None = None
        try:
            watcher.submit()
            on_submitted()
            finished = watcher.watch(listener)
        except Refused as refusal:
            raise failures.refused(refusal.body) from refusal
        except PromptLost as lost:
            raise TryAgain(RestartReason.PROMPT_LOST) from lost
        finally:
            listener.close()
            self._leave(instance, prompt.id, finished)
        return finished

    def _leave(self, instance: EngineInstance, prompt_id: str, finished: Finished | None) -> None:
        """Leave no trace of the prompt in the engine; what takes longer is left to the supervisor."""
        until = time.monotonic() + _LEAVE_SECONDS
        try:
            if finished is not None:
                instance.api.forget(prompt_id)
                return
            while time.monotonic() < until and not instance.lost.is_set():
                if cancel_and_clean(prompt_id, instance.api, self.options.output_dir):
                    return
                time.sleep(_LEAVE_POLL)
        except NoAnswer:
            pass
        if finished is None:
            instance.abandoned.add(prompt_id)

    def _result(self, instance: EngineInstance, finished: Finished) -> tuple[Path, ...]:
        if finished.interrupted:
            raise TryAgain(RestartReason.PROMPT_LOST)
        if finished.error:
            discard(finished, self.options.output_dir)
            raise self._failed(instance, finished)
        self.supervisor.succeeded()
        paths = tuple(path for path in finished.paths(self.options.output_dir) if path.is_file())
        if not paths and self.is_made is None:
            log.error("prompt without output", extra={"saved": [file.filename for file in finished.saved]})
            raise WorkerError(ErrorCode.GENERATION_FAILED, failures.NO_OUTPUT)
        return paths

    def _failed(self, instance: EngineInstance, finished: Finished) -> Exception:
        """What follows from an `execution_error`."""
        failures.log_execution_error(finished.error)
        match failures.classify(finished.error):
            case Failure.OUT_OF_MEMORY:
                self._free(instance)
                return TryAgain(RestartReason.OUT_OF_MEMORY)
            case Failure.UNUSABLE_PICTURE:
                # Weights are read anew, and nothing that was sampled is kept: the fault may be in either.
                self._free(instance)
                return TryAgain(RestartReason.UNUSABLE_PICTURE)
            case Failure.DEVICE_LOST:
                instance.request_restart("its device has failed")
                while not instance.lost.is_set():
                    self.deadline.sleep(_LEAVE_POLL)
                return EngineLost(instance)
            case Failure.ENCODER_LOST:
                return EncoderLost()
            case Failure.DISK_FULL:
                return WorkerError(ErrorCode.STORAGE_UNAVAILABLE, failures.DISK_FULL)
            case Failure.OTHER:
                return failures.generation_failed(finished.error)

    def _free(self, instance: EngineInstance) -> None:
        """Return when the engine has emptied its memory, so that the second try begins with nothing in it.

        ComfyUI does it on the thread that runs the prompts, where a next one may come first. After every
        prompt it looks whether it is wanted (0.30.0, `prompt_worker`): one that does nothing is run before.
        """
        while not self._is_told_to_free(instance):
            self._check(instance)  # the supervisor ends an engine that does not answer for long
            self.deadline.sleep(_LEAVE_POLL)
        prompt = Submission(str(uuid.uuid4()), uuid.uuid4().hex, _NOTHING, previews=False)
        watcher = PromptWatcher(
            instance, prompt, self.deadline, self.options.stall_timeout, lambda _event: None
        )
        self._execute(watcher, instance, prompt)

    @staticmethod
    def _is_told_to_free(instance: EngineInstance) -> bool:
        try:
            instance.api.free()
        except NoAnswer:
            return False
        return True

    def _check(self, instance: EngineInstance) -> None:
        self.deadline.check()
        instance.check()

    def _tell(self, event: Event) -> None:
        try:
            self.on_event(event)
        except Exception:
            # Progress is a courtesy: a fault in showing it must not cost the caller the video.
            log.exception("engine event not handled")

"""Run one graph to its files: submitted in order, tried again where that helps, cleaned up in every case."""

import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from . import failures
from .client import Finished, Graph, NoAnswer, Refused
from .events import Event, Restarted, RestartReason
from .failures import Failure
from .follow import Follower, Listener, Prompt, PromptLost
from .leftovers import discard, see_off
from .options import EngineOptions
from .supervisor import Boot, EngineLost, Supervisor
from .turns import Turn, TurnLine

log = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("2f1c7a52-6e0b-5a53-9d0e-0f4c1c6b9a11")
#: How long a cancelled prompt may take to end before its run returns without it.
_LEAVE_SECONDS = 0.6
_LEAVE_POLL = 0.05
#: The engine's worker thread wakes up at once to free memory; our next prompt must not outrun it.
_FREE_SECONDS = 1.0
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
        options, supervisor, turns: the engine's.
        graph: in ComfyUI's API format.
        turn: this graph's place in the order.
        job_key: names the job; prompt ids are made from it.
        deadline: the job's.
        on_event: told what happens, on the thread of the run.
        previews: whether previews of the picture are wanted.
        is_made: whether what the graph makes is complete outside the engine; None: it saves files.
    """

    options: EngineOptions
    supervisor: Supervisor
    turns: TurnLine
    graph: Graph
    turn: Turn
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
                boot = self.supervisor.wait_ready(self.deadline)
                try:
                    return self._try(boot, attempt)
                except TryAgain as again:
                    why, charged = again.why, True
                except EngineLost as lost:
                    why, charged = lost.boot.reason, self._was_executing(lost.boot)
                if self.is_made is not None and self.is_made():
                    log.info("prompt complete without its engine", extra={"why": why})
                    return ()
                if charged:
                    self._charge(why, failed)
                    attempt += 1
                log.warning("job run again", extra={"job_id": self.job_key, "why": why})
                self._tell(Restarted(why))
        finally:
            self.turn.release()

    def _charge(self, why: RestartReason, failed: set[RestartReason]) -> None:
        """Count a failed try; raise if it was the second of its kind: an engine lost, or one of `_TWICE`."""
        kind = why if why in _TWICE else RestartReason.ENGINE_STOPPED
        if kind in failed:
            raise _TWICE.get(kind, failures.engine_crashed)()
        failed.add(kind)

    def _was_executing(self, boot: Boot) -> bool:
        return self._started or boot.executing_turn == self.turn.number

    def _try(self, boot: Boot, attempt: int) -> tuple[Path, ...]:
        self._started = False
        self.turns.wait(self.turn, boot.number, lambda: self._check(boot))
        # The turn makes it this run's own, should the platform send the same job twice.
        prompt_id = str(uuid.uuid5(_NAMESPACE, f"{self.job_key}/{self.turn.number}/{attempt}"))
        prompt = Prompt(prompt_id, uuid.uuid4().hex, self.graph, self.previews)
        follower = Follower(boot, prompt, self.deadline, self.options.stall_timeout, self._tell)
        listener = Listener(boot.api, prompt.client_id)
        finished: Finished | None = None
        try:
            follower.submit()
            self.turns.submitted(self.turn, boot.number)
            finished = follower.follow(listener)
        except Refused as refusal:
            raise failures.refused(refusal.body) from refusal
        except PromptLost as lost:
            raise TryAgain(RestartReason.PROMPT_LOST) from lost
        finally:
            self._started = follower.started
            listener.close()
            self._leave(boot, prompt_id, finished)
        return self._result(boot, finished)

    def _leave(self, boot: Boot, prompt_id: str, finished: Finished | None) -> None:
        """Leave no trace of the prompt in the engine; what takes longer is left to the supervisor."""
        until = time.monotonic() + _LEAVE_SECONDS
        try:
            if finished is not None:
                boot.api.forget(prompt_id)
                return
            while time.monotonic() < until and not boot.lost.is_set():
                if see_off(prompt_id, boot.api, self.options.output_dir):
                    return
                time.sleep(_LEAVE_POLL)
        except NoAnswer:
            pass
        if finished is None:
            boot.leftovers.add(prompt_id)

    def _result(self, boot: Boot, finished: Finished) -> tuple[Path, ...]:
        if finished.interrupted:
            raise TryAgain(RestartReason.PROMPT_LOST)
        if finished.error:
            discard(finished, self.options.output_dir)
            raise self._failed(boot, finished)
        self.supervisor.succeeded()
        paths = tuple(path for path in finished.paths(self.options.output_dir) if path.is_file())
        if not paths and self.is_made is None:
            log.error("prompt without output", extra={"saved": [file.filename for file in finished.saved]})
            raise WorkerError(ErrorCode.GENERATION_FAILED, failures.NO_OUTPUT)
        return paths

    def _failed(self, boot: Boot, finished: Finished) -> Exception:
        """What follows from an `execution_error`."""
        failures.log_execution_error(finished.error)
        match failures.classify(finished.error):
            case Failure.OUT_OF_MEMORY:
                self._free(boot)
                return TryAgain(RestartReason.OUT_OF_MEMORY)
            case Failure.UNUSABLE_PICTURE:
                # Weights are read anew, and nothing that was sampled is kept: the fault may be in either.
                self._free(boot)
                return TryAgain(RestartReason.UNUSABLE_PICTURE)
            case Failure.DEVICE_LOST:
                boot.condemn("its device has failed")
                while not boot.lost.is_set():
                    self.deadline.sleep(_LEAVE_POLL)
                return EngineLost(boot)
            case Failure.DISK_FULL:
                return WorkerError(ErrorCode.STORAGE_UNAVAILABLE, failures.DISK_FULL)
            case Failure.OTHER:
                return failures.generation_failed(finished.error)

    def _free(self, boot: Boot) -> None:
        """Empty the engine's memory; it does so before it takes its next prompt, so before our second try."""
        with contextlib.suppress(NoAnswer):
            boot.api.free()
        self.deadline.sleep(_FREE_SECONDS)

    def _check(self, boot: Boot) -> None:
        self.deadline.check()
        boot.check()

    def _tell(self, event: Event) -> None:
        try:
            self.on_event(event)
        except Exception:
            # Progress is a courtesy: a fault in showing it must not cost the caller the video.
            log.exception("engine event not handled")

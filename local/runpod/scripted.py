"""Workers without an engine: each does with a job what a script says, on the emulator's clock."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from local.runpod.clock import Timer
from local.runpod.job import Job
from local.runpod.platform import Platform


@dataclass(frozen=True)
class Script:
    """What a worker does with one job.

    Attributes:
        seconds: from when it takes the job until it answers.
        output: the answer's `output`.
        error: makes the job FAILED, with this sentence.
        progress: what it says on the way: seconds since it took the job, and the progress object.
        answers: False: it dies without a word once the seconds are over.
    """

    seconds: float = 10.0
    output: Any = field(default_factory=dict)
    error: str | None = None
    progress: tuple[tuple[float, Any], ...] = ()
    answers: bool = True


Play = Callable[[Job], Script]


def sampling(seconds: float, steps: int = 8, pictures: Sequence[bytes] = ()) -> tuple[tuple[float, Any], ...]:
    """Progress as the worker posts it, `steps` times in so many seconds.

    Arguments:
        pictures: JPEGs of the emerging video, as a worker with LTX2_LIVE_PREVIEWS sends them: one a step,
            and the last one from then on.
    """
    marks = []
    for step in range(1, steps + 1):
        at = seconds * step / (steps + 1)
        shown: dict[str, Any] = {
            "percent": 100 * step // (steps + 1),
            "stage": "sampling",
            "step": step,
            "steps": steps,
        }
        shown |= {"seconds_left": round(seconds - at)}
        if pictures:
            shown["picture"] = b64encode(pictures[min(step, len(pictures)) - 1]).decode()
        marks.append((at, shown))
    return tuple(marks)


class ScriptedWorker:
    """Takes one job at a time from the platform's queue; used on the emulator's event loop only.

    Arguments:
        platform: where it works.
        worker_id: its name in /status and /health.
        play: says what it does with a job.
        boot: seconds until it asks for its first job.
    """

    def __init__(self, platform: Platform, worker_id: str, play: Play, boot: float = 0.0) -> None:
        self._platform = platform
        self._id = worker_id
        self._play = play
        self._job: Job | None = None
        self._plans: list[Timer] = []
        self._ready = False
        platform.workers.register(worker_id)
        platform.changes.listen(self._look)
        if boot:
            platform.clock.call_later(boot, self._start)
        else:
            self._start()

    def _start(self) -> None:
        self._ready = True
        self._platform.workers.ask(self._id)
        self._look()

    def _look(self) -> None:
        queue = self._platform.queue
        if self._job and queue.stops_for(self._id) and self._job.id in queue.take_stops(self._id):
            self._end()
        if self._ready and self._job is None and queue.waiting:
            # Taking is a change too, which calls this again: the worker counts as busy before.
            self._ready = False
            (self._job,) = queue.take(self._id, 1)
            self._perform(self._job, self._play(self._job))
            self._ready = True

    def _perform(self, job: Job, script: Script) -> None:
        later, post = self._platform.clock.call_later, self._platform.queue.post
        for at, shown in script.progress:
            body = {"status": "IN_PROGRESS", "output": shown}
            self._plans.append(later(at, partial(post, job.id, body)))
        if script.answers:
            self._plans.append(later(script.seconds, partial(self._answer, job, script)))
        else:
            self._plans.append(later(script.seconds, self._die))

    def _answer(self, job: Job, script: Script) -> None:
        self._end()
        error = {} if script.error is None else {"error": script.error}
        self._platform.queue.post(job.id, {"output": script.output} | error)

    def _die(self) -> None:
        self._end()
        self._ready = False
        self._platform.workers.remove(self._id)

    def _end(self) -> None:
        for plan in self._plans:
            plan.cancel()
        self._plans, self._job = [], None

"""The queue of one endpoint: every job from submission to deletion. No HTTP, and nothing waits here.

What RunPod's documentation leaves open is decided here and marked with "decided here".
"""

import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from local.runpod.changes import Changes
from local.runpod.clock import Clock, Timer
from local.runpod.job import Job, Post, Status, Submission

#: How long a job that is over can still be asked for (operation-reference, /run and /runsync).
RETENTION_SECONDS = 30 * 60.0
SYNC_RETENTION_SECONDS = 60.0

_RETRYABLE = {Status.FAILED, Status.TIMED_OUT}
#: A job in these states believes no worker any more. One that is COMPLETED or FAILED does: RunPod shows it as
#: IN_PROGRESS when a late progress post comes in (runpod/runpod-python issue 250).
_CLOSED = {Status.CANCELLED, Status.TIMED_OUT}


class JobQueue:
    """The jobs of one endpoint; used on the emulator's event loop only.

    Arguments:
        clock: the time.
        changes: told after every change.
        on_status: called with a job each time that its status changes, but not when it is deleted.
    """

    def __init__(self, clock: Clock, changes: Changes, on_status: Callable[[Job], None]) -> None:
        self.jobs: dict[str, Job] = {}
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._changes = changes
        self._on_status = on_status
        self._waiting: deque[Job] = deque()
        self._stops: dict[str, list[str]] = {}
        self._life: dict[str, Timer] = {}
        self._execution: dict[str, Timer] = {}

    @property
    def waiting(self) -> int:
        """How many jobs no worker has taken."""
        return len(self._waiting)

    def in_hand(self, worker_id: str | None = None) -> list[Job]:
        """The jobs in progress, of one worker if it is named."""
        running = [job for job in self.jobs.values() if job.status is Status.IN_PROGRESS]
        return [job for job in running if worker_id in {None, job.worker_id}]

    def submit(self, submission: Submission) -> Job:
        """Queue a new job; its time to live begins."""
        job_id = f"sync-{uuid.uuid4()}-u1" if submission.is_sync else f"{uuid.uuid4()}-u1"
        job = Job(job_id, submission, self._clock.now())
        self.jobs[job.id] = job
        self.set_life(job, submission.policy.ttl)
        self._waiting.append(job)
        self._on_status(job)
        self._changes.tell()
        return job

    def deliver_again(self, job: Job) -> None:
        """Queue a job once more as it is, as RunPod does when it believes that a worker has lost it."""
        self._waiting.append(job)
        self._changes.tell()

    def take(self, worker_id: str, at_most: int) -> list[Job]:
        """Give the next jobs to a worker."""
        taken = [self._waiting.popleft() for _ in range(min(at_most, len(self._waiting)))]
        now = self._clock.now()
        for job in taken:
            job.taken.append(now)
            job.worker_id, job.started, job.ended = worker_id, now, None
            self._cancel(self._execution, job)
            timeout = job.submission.policy.execution_timeout
            self._execution[job.id] = self._clock.call_later(timeout, partial(self._time_out, job))
            self._move(job, Status.IN_PROGRESS)
        if taken:
            self._changes.tell()
        return taken

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Undo a delivery that did not arrive: back to the head of the queue (decided here)."""
        for job in reversed(list(jobs)):
            job.taken.pop()
            if job.status is Status.IN_PROGRESS and job.id in self.jobs:
                self._cancel(self._execution, job)
                job.worker_id = job.started = None
                self._waiting.appendleft(job)
                self._move(job, Status.IN_QUEUE)
        self._changes.tell()

    def post(self, job_id: str, body: dict[str, Any]) -> bool:
        """Let progress or a result take effect; False for a job that does not exist (any more)."""
        job = self.jobs.get(job_id)
        if job is None:
            return False
        post = Post(self._clock.now(), body)
        job.posts.append(post)
        if post.is_progress:
            if job.status not in _CLOSED | {Status.IN_QUEUE}:
                job.output = body.get("output")
                self._move(job, Status.IN_PROGRESS)
        elif job.status not in _CLOSED:
            job.output, job.error = body.get("output"), body.get("error")
            self._end(job, Status.FAILED if "error" in body else Status.COMPLETED)
        self._changes.tell()
        return True

    def add_to_stream(self, job_id: str, body: Any) -> bool:
        """Keep one output of a generator handler until /stream fetches it; False for an unknown job."""
        job = self.jobs.get(job_id)
        if job:
            job.stream.append(body)
            self._changes.tell()
        return job is not None

    def stop(self, job: Job) -> None:
        """Tell the worker that has a job to stop it, over the SDK's stop channel."""
        if job.worker_id:
            self._stops.setdefault(job.worker_id, []).append(job.id)
        self._changes.tell()

    def stops_for(self, worker_id: str) -> list[str]:
        """The ids that a worker is to stop and has not been told."""
        return self._stops.get(worker_id, [])

    def take_stops(self, worker_id: str) -> list[str]:
        """The same ids, which it is told now."""
        return self._stops.pop(worker_id, [])

    def cancel(self, job: Job) -> Status:
        """Cancel a job that is not over; one that is stays as it is (decided here)."""
        if not job.status.is_final:
            self._leave_worker(job)
            job.output = None
            self._end(job, Status.CANCELLED)
        return job.status

    def retry(self, job: Job) -> bool:
        """Queue a job that failed again, without its output; False if it did not fail."""
        if job.status not in _RETRYABLE:
            return False
        job.output = job.error = job.started = job.ended = job.worker_id = None
        job.retries += 1
        self.counts["retried"] += 1
        self.set_life(job, job.submitted + job.submission.policy.ttl - self._clock.now())
        self._waiting.append(job)
        self._move(job, Status.IN_QUEUE)
        return True

    def purge(self) -> int:
        """Delete every job that waits, and return how many they were."""
        removed = [job for job in self._waiting if job.status is Status.IN_QUEUE]
        for job in removed:
            self.delete(job)
        return len(removed)

    def delete(self, job: Job) -> None:
        """Forget a job whatever its state; the worker that has it is told to stop (decided here)."""
        if self.jobs.pop(job.id, None) is None:
            return
        if job.status is Status.IN_PROGRESS or job in self._waiting:
            self._leave_worker(job)
        self._cancel(self._life, job)
        self._changes.tell()

    def set_life(self, job: Job, seconds: float) -> None:
        """Delete a job in so many seconds, and not before."""
        self._cancel(self._life, job)
        self._life[job.id] = self._clock.call_later(seconds, partial(self.delete, job))

    def _time_out(self, job: Job) -> None:
        self._leave_worker(job)
        job.output = None
        self._end(job, Status.TIMED_OUT)

    def _leave_worker(self, job: Job) -> None:
        self._cancel(self._execution, job)
        while job in self._waiting:
            self._waiting.remove(job)
        if job.status is Status.IN_PROGRESS:
            self.stop(job)

    def _end(self, job: Job, status: Status) -> None:
        self._cancel(self._execution, job)
        if job.status is not status:
            job.ended = self._clock.now()
            self.counts[status] += 1
            kept = SYNC_RETENTION_SECONDS if job.submission.is_sync else RETENTION_SECONDS
            left = job.submitted + job.submission.policy.ttl - job.ended
            self.set_life(job, min(kept, left))
        self._move(job, status)

    def _move(self, job: Job, status: Status) -> None:
        """Set a job's status, after everything else that changes with it."""
        changed = job.status is not status
        job.status = status
        if changed:
            self._on_status(job)
        self._changes.tell()

    @staticmethod
    def _cancel(timers: dict[str, Timer], job: Job) -> None:
        timer = timers.pop(job.id, None)
        if timer:
            timer.cancel()

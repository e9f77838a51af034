"""What a caller can do with an endpoint, as procedures without I/O; both clients carry these out.

The methods have the clients' names. What is written down in the journal on the way is written here.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ltx2_api.reply import DryRunResult, VideoResult

from . import managing
from .bucket import Bucket
from .downloading import Listener, download
from .errors import (
    BadReply,
    Cancelled,
    Expired,
    InvalidJob,
    JobFailed,
    Ltx2Error,
    NotConfigured,
    TimedOut,
    Unreachable,
)
from .following import follow, looked, recorded
from .journal import Entered, Journal
from .models import Health, Policy, State, Status
from .outcome import Outcome, outcome
from .runpod_api import Address
from .submitting import JobLike, Options, check, run_request, submit
from .wire import NotSent, Procedure, Unclear, ask


@dataclass(frozen=True)
class Rules:
    """One endpoint and what is known of its jobs.

    Arguments:
        address: the endpoint and the key to it.
        journal: where submitted jobs are written down; None for a caller who does that.
        bucket: the endpoint's bucket, for a caller who has its keys.
        clock: seconds since 1970.
        chance: 0 to 1, uniform.
    """

    address: Address
    journal: Journal | None
    bucket: Bucket | None
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random

    def submit(self, job: JobLike, options: Options) -> Procedure[str]:
        """Check a job, send it once, and return its id."""
        checked = check(job)
        request = run_request(self.address, checked.sent, options)
        return submit(request, checked, self.address.endpoint, self.journal, self.clock)

    def status(self, job_id: str) -> Procedure[Status]:
        """Ask once after a job."""
        try:
            return (yield from looked(self.address, job_id))
        except (NotSent, Unclear) as error:
            raise Unreachable(f"RunPod cannot be reached: {error}.") from error

    def follow(self, job_id: str, timeout: float | None) -> Procedure[Outcome]:
        """Follow a job to its end, and write down what it came to."""
        try:
            result = yield from follow(
                self.address,
                job_id,
                clock=self.clock,
                chance=self.chance,
                timeout=timeout,
                bucket=self.bucket,
            )
        except JobFailed as error:
            self._write_end(job_id, Entered.FAILED, error=error.message)
            raise
        except Cancelled as error:
            self._write_end(job_id, Entered.CANCELLED, error=error.message)
            raise
        except Expired as error:
            if not self._known(job_id):
                raise
            self._write_end(job_id, Entered.EXPIRED, error=error.message)
            raise
        self._write_end(job_id, Entered.DONE, result=result)
        return result

    def run(
        self, job: JobLike, options: Options, timeout: float | None, *, cancel: bool
    ) -> Procedure[tuple[str, VideoResult]]:
        """Submit a job and follow it to its video; one that takes too long is cancelled if that is wanted."""
        job_id = yield from self.submit(job, options)
        try:
            return job_id, video_only((yield from self.follow(job_id, timeout)))
        except TimedOut:
            if cancel:
                yield from self.cancel(job_id)
            raise

    def plan(self, job: JobLike, timeout: float | None) -> Procedure[DryRunResult]:
        """Ask a worker what it would do for a job; a question that nobody answers in time is withdrawn."""
        question = check(job).job.model_copy(update={"dry_run": True})
        job_id = yield from self.submit(question, Options(policy=Policy(ttl=3600)))
        try:
            result = yield from self.follow(job_id, timeout)
        except TimedOut:
            yield from self.cancel(job_id)
            raise
        if not isinstance(result, DryRunResult):
            raise BadReply("A dry run was answered with a video.", job_id=job_id)
        return result

    def cancel(self, job_id: str) -> Procedure[Status]:
        """Cancel a job, and return its state after that."""
        yield from managing.cancel(self.address, job_id, self.clock)
        status = yield from self.status(job_id)
        if status.state is State.CANCELLED:
            self._write_end(job_id, Entered.CANCELLED, error="It was cancelled.")
        return status

    def retry(self, job_id: str) -> Procedure[None]:
        """Run a failed job again under its own id."""
        doubt = yield from managing.retry(self.address, job_id)
        # Whether it took effect can be seen: the job is in the queue again, or still as it was.
        if doubt and (yield from self.status(job_id)).state in {State.FAILED, State.TIMED_OUT}:
            raise Unreachable(f"The retry did not reach RunPod ({doubt}); the job is as it was.")
        self._write_end(job_id, Entered.SUBMITTED)

    def health(self) -> Procedure[Health]:
        """What the endpoint has to do, and with how many workers."""
        return managing.health(self.address, self.clock)

    def purge_queue(self) -> Procedure[int]:
        """Remove everybody's waiting jobs, and return how many there were."""
        return managing.purge_queue(self.address)

    def result(self, job_id: str) -> Procedure[VideoResult]:
        """A finished job's reply: from RunPod while it has it, else from the bucket, else as it was noted.

        Raises:
            Expired: nobody has it.
            Ltx2Error: the job is not finished, or came to no video.
        """
        try:
            status = yield from self.status(job_id)
        except (Expired, Unreachable) as error:
            return (yield from self._kept_result(job_id, error))
        if status.state is not State.COMPLETED:
            raise Ltx2Error(f"The job is {status.state}; there is no video of it.", job_id=job_id)
        result = outcome(status)
        self._write_end(job_id, Entered.DONE, result=result)
        return video_only(result)

    def find(self, request_id: str) -> Procedure[str | None]:
        """The job that was made under a `request_id`, by its record in the bucket.

        Raises:
            NotConfigured: the bucket's keys are not known.
            Unreachable: the bucket did not answer.
        """
        if self.bucket is None:
            raise NotConfigured("A request's record lies in the endpoint's bucket: give its keys.")
        try:
            return self.bucket.job_id((yield from ask(self.bucket.request_record(request_id))))
        except (NotSent, Unclear) as error:
            raise Unreachable(f"The bucket cannot be reached: {error}.") from error

    def download(
        self, result: VideoResult, to: Path, poster: bool, overwrite: bool, listen: Listener | None
    ) -> Procedure[Path]:
        """Fetch a finished job's video; a link that has stopped working is renewed once."""
        return download(
            result,
            to,
            lambda: self._renewed(result),
            poster=poster,
            overwrite=overwrite,
            listen=listen,
        )

    def _renewed(self, old: VideoResult) -> Procedure[VideoResult | None]:
        """The same result with other links than the old ones."""
        if self.bucket and (result := (yield from recorded(self.bucket, old.job_id))) is not None:
            return result
        with suppress(Ltx2Error):
            fresh = video_only(outcome((yield from self.status(old.job_id))))
            return fresh if fresh.url != old.url else None
        return None

    def _kept_result(self, job_id: str, error: Ltx2Error) -> Procedure[VideoResult]:
        if self.bucket and (found := (yield from recorded(self.bucket, job_id))) is not None:
            return found
        entry = self.journal.find(self.address.endpoint, job_id) if self.journal else None
        if entry is None or entry.result is None:
            raise error
        return VideoResult.model_validate(entry.result, extra="ignore")

    def _known(self, job_id: str) -> bool:
        return self.journal is not None and self.journal.find(self.address.endpoint, job_id) is not None

    def _write_end(
        self, job_id: str, state: Entered, *, result: Outcome | None = None, error: str | None = None
    ) -> None:
        """The journal is a help here, not a condition: the outcome itself is in hand."""
        if self.journal is None:
            return
        with suppress(Ltx2Error):
            kept = None
            if result is not None:
                kept = result.model_dump(mode="json", exclude_none=True, exclude={"video_base64"})
            self.journal.ended(self.address.endpoint, job_id, state, result=kept, error=error)


def video_only(result: Outcome) -> VideoResult:
    """A result that must be a video; raises `InvalidJob` for a dry run's."""
    if isinstance(result, DryRunResult):
        raise InvalidJob("The job is a dry run: it has a plan, and no video. Ask with plan().")
    return result

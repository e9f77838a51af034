"""Following a job to its end. No I/O.

Nothing ends a job but its own end: a request that fails is sent again, until the caller's deadline. Progress
is never taken for a result. A job that RunPod has forgotten is looked up in the bucket, where keys are given.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ltx2_api.reply import VideoResult

from .bucket import Bucket
from .errors import BadReply, Expired, Ltx2Error, NotFound, TimedOut, Unauthorized
from .events import Done, Queued, Running, Troubled
from .models import State, Status
from .outcome import Outcome, failure, outcome, running
from .runpod_api import Address, health_of, refusal, retry_after, status_of
from .schedule import Schedule
from .wire import NotSent, Pause, Procedure, Tell, Unclear, ask

#: Seconds that a job is followed at most when its caller names no limit: RunPod's longest default life of a
#: job (24 h), and a little. The time to live that this client sends is shorter.
LONGEST = 25 * 3600.0
#: The same answer so often in a row is believed: "no such job", a refused key, a result that is none.
BELIEVED = 3
#: After so many seconds in the queue the endpoint's workers are looked at, and again after as many.
ASK_WHY_AFTER = 60.0
#: Seconds between two requests that should settle a doubtful answer.
_DOUBT = 2.0


@dataclass
class _Doubts:
    """Answers that end the wait only when they are repeated."""

    last: type[Ltx2Error] | None = None
    times: int = 0

    def believed(self, error: Ltx2Error) -> bool:
        """Whether an answer has been heard often enough in a row."""
        self.times = self.times + 1 if self.last is type(error) else 1
        self.last = type(error)
        return self.times >= BELIEVED


@dataclass
class _Seen:
    """What has been told of a job so far."""

    since: float
    percent: int | None = None
    asked_why: float = field(default=0.0)
    reason: str | None = None


def look(address: Address, job_id: str) -> Procedure[Status]:
    """Ask once after a job.

    Raises:
        Expired: RunPod does not know the job.
        Ltx2Error: as `refusal` says; `Unreachable` is left as `NotSent` and `Unclear`.
    """
    reply = yield from ask(address.status(job_id))
    error = refusal(reply, "to tell the job's state")
    if isinstance(error, NotFound):
        raise Expired(
            "RunPod does not know the job: it keeps results for 30 minutes, and jobs for their time to live.",
            job_id=job_id,
        )
    if error is not None:
        error.job_id = job_id
        raise _After(error, retry_after(reply))
    try:
        return status_of(reply)
    except BadReply as unread:  # a proxy's page, say: the next answer may be RunPod's
        raise _After(unread, None) from unread


class _After(Exception):
    """An error of RunPod's, and the seconds after which to ask again."""

    def __init__(self, error: Ltx2Error, seconds: float | None) -> None:
        super().__init__(error.message)
        self.error = error
        self.seconds = seconds


def looked(address: Address, job_id: str) -> Procedure[Status]:
    """`look` for a caller who asks once: every failure is an `Ltx2Error`."""
    try:
        return (yield from look(address, job_id))
    except _After as after:
        raise after.error from None


def follow(
    address: Address,
    job_id: str,
    *,
    clock: Callable[[], float],
    chance: Callable[[], float],
    timeout: float | None = None,
    bucket: Bucket | None = None,
) -> Procedure[Outcome]:
    """Follow a job to its end, telling what is seen on the way, and return what it came to.

    Arguments:
        clock: seconds since 1970: a job's life is measured so, also while this machine sleeps.
        chance: 0 to 1, uniform.
        timeout: seconds; None for `LONGEST`.
        bucket: where to look when RunPod has forgotten the job.

    Raises:
        JobFailed, Cancelled, Expired: how the job ended.
        TimedOut: the wait ended; the job goes on.
        Unauthorized: the key was refused several times in a row.
        BadReply: the job is completed, but without a result, several times in a row.
    """
    limit = LONGEST if timeout is None else timeout
    deadline, schedule, doubts, seen = clock() + limit, Schedule(), _Doubts(), _Seen(clock())
    while True:
        try:
            status = yield from look(address, job_id)
            if status.state is State.COMPLETED:
                result = outcome(status)
                yield Tell(Done(job_id, result))
                return result
            if status.state.final:
                raise failure(status)
            event = yield from _describe(address, status, seen, clock)
            doubts.times = 0
            yield Tell(event)
            wait = schedule.after(event, chance())
        except _After as after:
            if isinstance(after.error, Unauthorized) and doubts.believed(after.error):
                raise after.error from None
            wait = schedule.after_failure(chance(), after.seconds)
            yield Tell(Troubled(job_id, schedule.failures, after.error.message))
        except (Expired, BadReply) as error:
            if doubts.believed(error):
                return (yield from _from_record(bucket, error, job_id))
            wait = _DOUBT
        except (NotSent, Unclear) as error:
            wait = schedule.after_failure(chance())
            yield Tell(Troubled(job_id, schedule.failures, str(error)))
        left = deadline - clock()
        if left <= 0:
            raise TimedOut(f"The job did not end within {limit:.0f} s; it goes on.", job_id=job_id)
        yield Pause(min(wait, left))


def recorded(bucket: Bucket, job_id: str) -> Procedure[VideoResult | None]:
    """What the bucket's record says of a job, with fresh links; None if there is none, or no way to it."""
    try:
        return bucket.result(job_id, (yield from ask(bucket.record_request(job_id))))
    except (NotSent, Unclear):
        return None


def _from_record(bucket: Bucket | None, error: Ltx2Error, job_id: str) -> Procedure[Outcome]:
    result = (yield from recorded(bucket, job_id)) if bucket else None
    if result is None:
        raise error
    yield Tell(Done(job_id, result))
    return result


def _describe(
    address: Address, status: Status, seen: _Seen, clock: Callable[[], float]
) -> Procedure[Queued | Running]:
    """What a status that is not the end says; a job that waits long is told why."""
    if status.state is not State.IN_QUEUE:
        event = running(status)
        if event.percent is not None:
            seen.percent = max(event.percent, seen.percent or 0)
        return replace(event, percent=seen.percent)
    waited = clock() - seen.since
    if waited - seen.asked_why >= ASK_WHY_AFTER:
        seen.asked_why = waited
        try:
            reply = yield from ask(address.health())
            seen.reason = health_of(reply).why_waiting() if reply.status == 200 else seen.reason
        except (NotSent, Unclear, BadReply):
            pass  # it is told again after the next minute; the job itself is asked after all the same
    return Queued(status.id, waited, seen.reason)

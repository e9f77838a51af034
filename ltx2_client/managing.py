"""What is asked of an endpoint beside submitting and following: cancel, retry, health, purge. No I/O."""

from collections.abc import Callable

from .errors import Expired, NotFound, RateLimited, Refused, Unreachable
from .models import Health
from .runpod_api import Address, health_of, refusal, removed_of, retry_after
from .schedule import back_off
from .wire import NotSent, Pause, Procedure, Reply, Request, Unclear, ask

#: Seconds for which a request that may safely be sent again is tried.
PATIENCE = 30.0


def cancel(address: Address, job_id: str, clock: Callable[[], float]) -> Procedure[None]:
    """Cancel a job; one that is over already stays as it is. Raises `Expired` for one that is not known."""
    reply = yield from _patiently(address.cancel(job_id), "to cancel the job", clock)
    if isinstance(error := refusal(reply, "to cancel the job"), NotFound):
        raise Expired("RunPod does not know the job.", job_id=job_id)
    if error is not None and not isinstance(error, Refused):
        raise error


def retry(address: Address, job_id: str) -> Procedure[str | None]:
    """Ask once for a failed job to be run again; returns why it is in doubt whether that was heard.

    Raises:
        Refused: it has not failed.
        Expired: it is not known (any more).
        Unreachable: the request never left.
    """
    try:
        reply = yield from ask(address.retry(job_id))
    except NotSent as error:
        raise Unreachable(f"RunPod cannot be reached: {error}. Nothing was retried.") from error
    except Unclear as error:
        return str(error)
    refused = refusal(reply, "to retry the job")
    if isinstance(refused, NotFound):
        raise Expired("RunPod does not know the job (any more).", job_id=job_id)
    if refused is not None and reply.status < 500:
        raise refused
    return None if refused is None else f"HTTP {reply.status}"


def health(address: Address, clock: Callable[[], float]) -> Procedure[Health]:
    """What the endpoint has to do, and with how many workers."""
    reply = yield from _patiently(address.health(), "the endpoint's health", clock)
    if (error := refusal(reply, "the endpoint's health")) is not None:
        raise error
    return health_of(reply)


def purge_queue(address: Address) -> Procedure[int]:
    """Remove everybody's waiting jobs, and return how many there were; asked once."""
    try:
        reply = yield from ask(address.purge_queue())
    except (NotSent, Unclear) as unsure:
        raise Unreachable(f"RunPod cannot be reached: {unsure}. Look at the queue again.") from unsure
    if (error := refusal(reply, "to purge the queue")) is not None:
        raise error
    return removed_of(reply)


def _patiently(request: Request, what: str, clock: Callable[[], float]) -> Procedure[Reply]:
    """Send a request that may be sent twice until it is answered, for `PATIENCE` seconds."""
    deadline, failures = clock() + PATIENCE, 0
    while True:
        wait, trouble = back_off(failures), ""
        try:
            reply = yield from ask(request)
        except (NotSent, Unclear) as failed:
            trouble = str(failed)
        else:
            if reply.status < 500 and reply.status != 429:
                return reply
            wait, trouble = max(wait, retry_after(reply) or 0.0), f"HTTP {reply.status}"
            if reply.status == 429 and clock() + wait > deadline:
                raise RateLimited("RunPod's limit on requests is exceeded.", retry_after=retry_after(reply))
        if clock() + wait > deadline:
            raise Unreachable(f"RunPod did not answer {what}: {trouble}.")
        failures += 1
        yield Pause(wait)

"""Submitting a job: checked here, written down, sent exactly once. No I/O but the journal's.

The most expensive fault of such clients is a submit that is sent again: RunPod knows no idempotency key, so
every POST that arrives is a job that is generated and paid for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput

from .errors import BadReply, InvalidJob, RateLimited, SubmitUnknown, Unreachable
from .journal import Journal
from .models import JobBucket, Policy
from .runpod_api import MOST_BODY_BYTES, Address, job_id_of, refusal, retry_after
from .schedule import back_off
from .wire import NotSent, Pause, Procedure, Reply, Request, Unclear, ask

#: A job as its caller has it: checked already, or the fields of `input`.
JobLike = JobInput | Mapping[str, Any]

#: Seconds for which a submit that certainly did not go through is tried again.
PATIENCE = 60.0


@dataclass(frozen=True)
class Price:
    """What a job costs.

    Attributes:
        credits: by the price list.
        warnings: what the caller should know, such as a field that has no effect.
    """

    credits: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """A job that keeps to the contract.

    Attributes:
        job: each field checked.
        sent: what goes out as `input`: what the caller wrote, no defaults added but a `request_id`.
    """

    job: JobInput
    sent: Mapping[str, Any]
    price: Price

    @property
    def request_id(self) -> str:
        """The name under which the same job may be sent again; empty for a dry run."""
        return str(self.sent.get("request_id", ""))


def check(job: JobLike) -> Checked:
    """Check a job against the contract, as the worker will.

    Raises:
        InvalidJob: with every fault, or because it costs more than its own `max_credits`.
    """
    raw = job.model_dump(mode="json", exclude_unset=True) if isinstance(job, JobInput) else job
    try:
        checked, warnings = JobInput.parse(raw)
    except WorkerError as error:
        raise InvalidJob(error.message, code=error.code.value, faults=error.faults) from None
    credits = credits_of(checked)  # noqa: A001 - the contract's word
    if checked.max_credits is not None and credits > checked.max_credits:
        raise InvalidJob(
            f"The job costs {credits} credits, more than its max_credits of {checked.max_credits}.",
            code=ErrorCode.OVER_BUDGET.value,
        )
    sent = checked.model_dump(mode="json", exclude_unset=True)
    if checked.request_id is None and not checked.dry_run:
        # With a name of its own, a submit that went unheard can be sent again and is not made twice.
        sent["request_id"] = uuid4().hex
    return Checked(checked, sent, Price(credits, warnings))


def credits_of(job: JobInput) -> int:
    """A job's price by the price list; a dry run is free."""
    return 0 if job.dry_run else job.credits


@dataclass(frozen=True)
class Options:
    """What goes beside a job's input.

    Attributes:
        webhook: an address to which RunPod posts the finished job.
        bucket: the caller's own bucket for this job.
    """

    webhook: str | None = None
    policy: Policy | None = None
    bucket: JobBucket | None = None


def run_request(address: Address, sent: Mapping[str, Any], options: Options) -> Request:
    """The request that submits a job; raises `InvalidJob` if RunPod would find it too large."""
    body: dict[str, Any] = {"input": sent, "policy": (options.policy or Policy()).as_json()}
    if options.webhook is not None:
        body["webhook"] = options.webhook
    if options.bucket is not None:
        body["s3Config"] = options.bucket.as_json()
    request = address.run(body)
    size = len(request.content or b"")
    if size > MOST_BODY_BYTES:
        raise InvalidJob(
            f"The job has {size / 1e6:.1f} MB; RunPod takes {MOST_BODY_BYTES / 1e6:.0f} MB. "
            "Send large images and videos as URLs."
        )
    return request


def submit(
    request: Request, checked: Checked, endpoint: str, journal: Journal | None, clock: Callable[[], float]
) -> Procedure[str]:
    """Send a job once and return RunPod's id of it, which the journal holds by then.

    What certainly did not arrive (no connection; refused with 429) is tried again for `PATIENCE` seconds.

    Raises:
        SubmitUnknown: the request went out and no usable answer came back; it is not sent again.
        Unauthorized, NotFound, Refused, RateLimited, Unreachable: the job was not taken.
        JournalUnwritable: before anything was sent; or, with the job's id, after it.
    """
    reference = journal.begin(endpoint, checked.sent, checked.price.credits) if journal else ""
    try:
        reply = yield from _sent_once(request, clock)
    except Unclear as unclear:
        raise _unknown(checked, reference, journal, "no answer came back") from unclear
    except (Unreachable, RateLimited):
        _strike_out(reference, journal)
        raise
    if reply.status >= 500:
        # A gateway's 502 or 504 says nothing of what stands behind it.
        raise _unknown(checked, reference, journal, f"the answer was HTTP {reply.status}")
    if (error := refusal(reply, "the job")) is not None:
        _strike_out(reference, journal)
        raise error
    try:
        job_id = job_id_of(reply)
    except BadReply as unread:
        raise _unknown(checked, reference, journal, "the answer held no id") from unread
    if journal:
        journal.submitted(reference, job_id)
    return job_id


def _sent_once(request: Request, clock: Callable[[], float]) -> Procedure[Reply]:
    """The reply to a request that arrived once; every earlier try certainly started nothing."""
    deadline, failures = clock() + PATIENCE, 0
    while True:
        wait = back_off(failures)
        try:
            reply = yield from ask(request)
        except NotSent as error:
            if clock() + wait > deadline:
                raise Unreachable(f"RunPod cannot be reached: {error}. Nothing was submitted.") from error
        else:
            if reply.status != 429:
                return reply
            wait = max(wait, retry_after(reply) or 0.0)
            if clock() + wait > deadline:
                raise RateLimited(
                    "RunPod's limit on requests is exceeded (HTTP 429). Nothing was submitted.",
                    retry_after=retry_after(reply),
                )
        failures += 1
        yield Pause(wait)


def _unknown(checked: Checked, reference: str, journal: Journal | None, why: str) -> SubmitUnknown:
    if journal:
        journal.unknown(reference)
    return SubmitUnknown(
        f"It is not known whether RunPod took the job: the request went out, and {why}. It was not sent "
        f"again. Under its request_id, {checked.request_id}, the same job is not made twice once done.",
        reference=reference,
        request_id=checked.request_id,
    )


def _strike_out(reference: str, journal: Journal | None) -> None:
    if journal:
        journal.never_sent(reference)

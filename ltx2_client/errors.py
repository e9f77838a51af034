"""Everything that can go wrong on the caller's side: one tree, each branch a different thing to do.

A message is a sentence for a person. None holds the API key.
"""

from collections.abc import Sequence

from ltx2_api.errors import Fault


class Ltx2Error(Exception):
    """The base of all errors of this package.

    Arguments:
        message: one sentence for a person.
        job_id: RunPod's id of the job, where there is one.
    """

    def __init__(self, message: str, *, job_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.job_id = job_id


class InvalidJob(Ltx2Error):
    """The job breaks the contract's rules or its own budget; nothing was sent.

    Arguments:
        code: `invalid_input` or `over_budget`, as the worker would say.
        faults: every field at fault, each with its own sentence.
    """

    def __init__(self, message: str, *, code: str = "invalid_input", faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.faults = tuple(faults)


class JobFailed(Ltx2Error):
    """The job ended without a video; nothing is to be paid.

    Arguments:
        code: one of `ltx2_api.errors.ErrorCode`; `timed_out` where RunPod ended the job; `unknown` where
            the worker could not say.
        field: the input field at fault, where there is one.
        faults: every field at fault, when the worker refused the input.
        retryable: whether the very same job may succeed.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str,
        code: str,
        field: str | None = None,
        faults: Sequence[Fault] = (),
        retryable: bool = False,
    ) -> None:
        super().__init__(message, job_id=job_id)
        self.code = code
        self.field = field
        self.faults = tuple(faults)
        self.retryable = retryable


class Cancelled(Ltx2Error):
    """The job was cancelled; nothing is delivered and nothing is to be paid."""


class Expired(Ltx2Error):
    """RunPod does not know the job (any more), and no record in a bucket says what became of it."""


class TimedOut(Ltx2Error):
    """The wait has ended, the job has not: it goes on, and can be waited for again by its id."""


class SubmitUnknown(Ltx2Error):
    """Whether RunPod took the job is not known: the request went out, and no usable answer came back.

    It was not sent again. A webhook, if one was given, brings the job's id. The very same job may be sent
    again under its `request_id`: it is answered from the first one's record where that is done, and waits for
    the first where both meet on one worker; if another worker makes it at the moment, it is paid for twice.

    Arguments:
        reference: the submit's own name in the journal; empty without one.
        request_id: what went out as the job's `request_id`.
    """

    def __init__(self, message: str, *, reference: str, request_id: str) -> None:
        super().__init__(message)
        self.reference = reference
        self.request_id = request_id


class JournalUnwritable(Ltx2Error):
    """The list of submitted jobs cannot be written; where a job was submitted already, `job_id` names it."""


class Unauthorized(Ltx2Error):
    """The API key is missing, wrong, or may not use this endpoint."""


class NotFound(Ltx2Error):
    """There is no such endpoint, or it has no such route."""


class Refused(Ltx2Error):
    """RunPod refused the request; nothing was started.

    Arguments:
        status: the HTTP status.
    """

    def __init__(self, message: str, *, status: int, job_id: str | None = None) -> None:
        super().__init__(message, job_id=job_id)
        self.status = status


class RateLimited(Ltx2Error):
    """RunPod's limit on requests was still exceeded after waiting several times.

    Arguments:
        retry_after: seconds after which RunPod suggests to try again, if it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(Ltx2Error):
    """RunPod could not be reached; nothing was started."""


class BadReply(Ltx2Error):
    """An answer came back that does not keep to the contract."""


class BadDownload(Ltx2Error):
    """The file could not be fetched whole; what was asked for is not at the target."""


class NotConfigured(Ltx2Error):
    """The endpoint's id or the API key is missing, or an optional part of this package is not installed."""


class BadFilm(Ltx2Error):
    """A film's description is wrong, or one of its clips cannot be used.

    Arguments:
        faults: every field at fault, each with its own sentence.
    """

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)

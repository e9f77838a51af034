"""Exit statuses of `ltx2`, and which error means which."""

from enum import IntEnum

from .. import errors


class Exit(IntEnum):
    """What a script can tell from the exit status; docs/client.md lists them."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2  # also what argparse exits with
    ACCESS = 3
    UNREACHABLE = 4
    SUBMIT_UNKNOWN = 5
    STILL_RUNNING = 6
    EXPIRED = 7
    DOWNLOAD = 8
    OVER_BUDGET = 9
    INCOMPLETE = 10
    CANCELLED = 11
    LOCAL = 12
    DETACHED = 130  # as a shell reports Ctrl-C


_BY_ERROR: dict[type[errors.Ltx2Error], Exit] = {
    errors.JobFailed: Exit.JOB_FAILED,
    errors.InvalidJob: Exit.USAGE,
    errors.BadFilm: Exit.USAGE,
    errors.Refused: Exit.USAGE,
    errors.NotConfigured: Exit.ACCESS,
    errors.Unauthorized: Exit.ACCESS,
    errors.NotFound: Exit.ACCESS,
    errors.Unreachable: Exit.UNREACHABLE,
    errors.RateLimited: Exit.UNREACHABLE,
    errors.BadReply: Exit.UNREACHABLE,
    errors.SubmitUnknown: Exit.SUBMIT_UNKNOWN,
    errors.TimedOut: Exit.STILL_RUNNING,
    errors.Expired: Exit.EXPIRED,
    errors.BadDownload: Exit.DOWNLOAD,
    errors.Cancelled: Exit.CANCELLED,
    errors.JournalUnwritable: Exit.LOCAL,
}


def exit_for(error: errors.Ltx2Error) -> Exit:
    """The exit status that an error stands for."""
    if isinstance(error, errors.InvalidJob) and error.code == "over_budget":
        return Exit.OVER_BUDGET
    return next((status for kind, status in _BY_ERROR.items() if isinstance(error, kind)), Exit.LOCAL)

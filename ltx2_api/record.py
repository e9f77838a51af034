"""Where a finished job lies: the names of its objects, which follow from its id alone.

A caller who has the store's keys can find a job's video and record for as long as they lie there, also when
nobody knows the job any more.
"""

import hashlib
import re

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_UNSAFE_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")


def object_name(job_id: str) -> str:
    """Return the name, without suffix, of everything that is delivered for a job.

    `NAME.mp4`, `NAME.jpg` and `NAME.webp` where they exist, and last of all `NAME.json`, the record.

    Arguments:
        job_id: the platform's id. It is kept where it consists of `[A-Za-z0-9._-]` alone, is not hidden and
            not long; anything else is cleaned and gets a digest, so that two ids never share a name.
    """
    if _SAFE.fullmatch(job_id):
        return job_id
    digest = hashlib.sha256(job_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = _UNSAFE_CHARACTER.sub("_", job_id)[:48]
    return f"{readable}_{digest}"


def request_name(request_id: str) -> str:
    """Return the name under which the record of a job that was sent with a `request_id` lies once more.

    It names the files of the job that made the video: whoever knows the request's id finds the outcome
    without the job's id, and a second job with it is answered from there.
    """
    return f"request-{object_name(request_id)}"

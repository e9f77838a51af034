"""What a job's files are called: one name from the job id, safe in a bucket, a folder and a URL."""

import hashlib
import re

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_UNSAFE_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")


def object_name(job_id: str) -> str:
    """Return the name, without suffix, of everything that is delivered for a job.

    Arguments:
        job_id: the platform's id. It is kept where it consists of `[A-Za-z0-9._-]` alone, is not hidden and
            not long; anything else is cleaned and gets a digest, so that two ids never share a name.
    """
    if _SAFE.fullmatch(job_id):
        return job_id
    digest = hashlib.sha256(job_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = _UNSAFE_CHARACTER.sub("_", job_id)[:48]
    return f"{readable}_{digest}"

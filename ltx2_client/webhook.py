"""Receiving RunPod's webhooks: a hint that a job has ended, to be confirmed by asking.

RunPod signs nothing, sends the job's whole input along, and tries three times in all. So: put a token into
the address, answer 200 at once, keep nothing of the body but the id, and ask for the job's status yourself.
"""

import hashlib
import hmac
from dataclasses import dataclass

from .errors import BadReply
from .models import State
from .runpod_api import read_status
from .strangers import read_json

#: A webhook's body is read up to this many bytes: RunPod's limit for a job, twice.
MOST_BODY_BYTES = 20_000_000


@dataclass(frozen=True)
class Completion:
    """What a webhook claims: this job has ended. Believe the id and ask for the rest."""

    job_id: str
    state: State


def parse(body: bytes) -> Completion:
    """Read a webhook's body; its input and output are left where they are.

    Raises:
        BadReply: it is no webhook of RunPod's.
    """
    if len(body) > MOST_BODY_BYTES:
        raise BadReply("The webhook's body is too large.")
    try:
        status = read_status(read_json(body))
    except (ValueError, AttributeError) as error:
        raise BadReply("The webhook's body is not a job's status.") from error
    return Completion(status.id, status.state)


def token(secret: str, reference: str) -> str:
    """The token of one job's webhook: nobody who lacks the secret can make it.

    Arguments:
        secret: the receiver's, at least 16 characters, the same for all jobs.
        reference: the receiver's own name for the job, which stands in the address too.

    Raises:
        ValueError: the secret is too short.
    """
    if len(secret) < 16:
        raise ValueError("a webhook's secret has at least 16 characters")
    return hmac.new(secret.encode(), reference.encode(), hashlib.sha256).hexdigest()


def path(secret: str, reference: str) -> str:
    """The end of a webhook's address: `REFERENCE/TOKEN`."""
    return f"{reference}/{token(secret, reference)}"


def check(secret: str, reference: str, given: str) -> bool:
    """Whether a token is the right one for a job, compared in constant time."""
    return hmac.compare_digest(token(secret, reference).encode(), given.encode())

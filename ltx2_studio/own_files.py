"""Files in the bucket that a job names have to be the caller's own uploads.

The worker opens every s3:// address in the endpoint's bucket: there lie other accounts' videos and uploads.
"""

from collections.abc import Iterator

from .contract import Fault
from .ports import Links

#: Texts that are shown to a model, and never opened.
_TEXTS = frozenset({"prompt"})


def faults(links: Links, account: str, given: object, field: str = "") -> Iterator[Fault]:
    """Every address in the bucket that is not an upload of the account.

    Arguments:
        given: a job, or a part of it, whatever its fields are.
        field: where in the job it stands.
    """
    if isinstance(given, dict):
        for name, value in given.items():
            if name not in _TEXTS:
                yield from faults(links, account, value, f"{field}.{name}" if field else str(name))
    elif isinstance(given, list):
        for number, value in enumerate(given):
            yield from faults(links, account, value, f"{field}.{number}")
    elif isinstance(given, str) and _in_bucket(given) and links.own_upload(account, given) is None:
        yield Fault(field=field, message=f"{field} must be what an upload of yours is to be named by.")


def _in_bucket(given: str) -> bool:
    return given.strip().lower().startswith("s3:")

"""Files in the bucket that a job names have to be the caller's own uploads.

The worker opens every s3:// address in the endpoint's bucket: there lie other accounts' videos and uploads.
"""

from collections.abc import Iterator, Mapping

from .contract import Fault
from .ports import Links

#: Texts that are shown to a model, and never opened.
_TEXTS = frozenset({"prompt"})


def faults(links: Links, account: str, given: Mapping[str, object]) -> Iterator[Fault]:
    """Every address in the bucket that is not an upload of the account.

    Arguments:
        given: a job, whatever its fields are.
    """
    # Not by recursion: how deeply a stranger's job is nested is checked later.
    left: list[tuple[str, object]] = [(name, value) for name, value in given.items() if name not in _TEXTS]
    while left:
        field, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{field}.{name}", part) for name, part in value.items() if name not in _TEXTS]
        elif isinstance(value, list):
            left += [(f"{field}.{number}", part) for number, part in enumerate(value)]
        elif isinstance(value, str) and _in_bucket(value) and links.own_upload(account, value) is None:
            shown = field.encode("ascii", "replace").decode()[:80]
            yield Fault(field=shown, message=f"{shown} must be what an upload of yours is to be named by.")


def _in_bucket(given: str) -> bool:
    return given.strip().lower().startswith("s3:")

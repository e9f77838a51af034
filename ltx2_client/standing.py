"""What is to be done for each take of a batch, read off its manifest and its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from ltx2_api.errors import ErrorCode

from .manifest import Manifest, TakeRecord, TakeState
from .part_file import sha256_of
from .scenes import Take


class Standing(Enum):
    """What a take needs."""

    THERE = auto()  # nothing
    RESUME = auto()  # it was submitted: follow it, fetch it
    RETRY = auto()  # it was made and could not be delivered: run it again under its id
    MAKE = auto()
    DOUBTFUL = auto()  # it may have been submitted, or was lost from sight: making it may cost a second time


@dataclass(frozen=True)
class BatchPlan:
    """What a batch would do now.

    Attributes:
        takes: all of it, each after the one that it starts from.
        missing: what would be submitted.
        resumed: what is submitted already, and would be waited for.
        doubtful: what may have been submitted: left alone unless that is asked for.
        credits: the price of what is missing.
    """

    takes: tuple[Take, ...]
    missing: tuple[Take, ...]
    resumed: tuple[Take, ...]
    doubtful: tuple[Take, ...]

    @property
    def credits(self) -> int:
        """What would be paid."""
        return sum(take.credits for take in self.missing)


def plan_of(takes: Sequence[Take], manifest: Manifest, *, resubmit: bool) -> BatchPlan:
    """What a batch would do now.

    Arguments:
        resubmit: doubtful takes are made again.
    """
    stands: dict[str, Standing] = {}
    for take in takes:
        start = None
        if take.after is not None:
            before = manifest.get(take.after)
            start = before.sha256 if before and stands[take.after] is Standing.THERE else "not yet"
        stands[take.name] = standing(manifest, take, start, resubmit=resubmit)

    def those(*kinds: Standing) -> tuple[Take, ...]:
        return tuple(take for take in takes if stands[take.name] in kinds)

    return BatchPlan(
        tuple(takes),
        those(Standing.MAKE),
        those(Standing.RESUME, Standing.RETRY),
        those(Standing.DOUBTFUL),
    )


def standing(manifest: Manifest, take: Take, start_sha256: str | None, *, resubmit: bool) -> Standing:
    """What one take needs.

    Arguments:
        start_sha256: the checksum of the clip that it starts from; None if it starts from none.
    """
    record = current(manifest, take, start_sha256)
    if record is None:
        return Standing.MAKE
    if record.state is TakeState.DONE and there(manifest, record) is not None:
        return Standing.THERE
    if record.state in {TakeState.DONE, TakeState.SUBMITTED} and record.job_id is not None:
        return Standing.RESUME
    if record.state is TakeState.FAILED:
        kept = record.code == ErrorCode.STORAGE_UNAVAILABLE and record.job_id is not None
        return Standing.RETRY if kept else Standing.MAKE
    return Standing.MAKE if resubmit else Standing.DOUBTFUL


def current(manifest: Manifest, take: Take, start_sha256: str | None) -> TakeRecord | None:
    """What the manifest says of a take, unless its scene, or the clip it starts from, has changed since."""
    record = manifest.get(take.name)
    same = record is not None and (record.digest, record.start_sha256) == (take.digest, start_sha256)
    return record if same else None


def there(manifest: Manifest, record: TakeRecord) -> Path | None:
    """A take's file, if it is there and whole."""
    if record.file is None or record.sha256 is None:
        return None
    path = manifest.folder / record.file
    return path if path.is_file() and sha256_of(path) == record.sha256 else None

"""A finished video leaves the worker here: delivered, recorded, and never lost.

A job whose record is found is answered from it; what a destination does not take waits in the spool.
"""

import base64
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from ..settings import Settings
from .destination import Destination, Where, jobs_destination, nowhere, operators_destination, spool_folder
from .names import object_name
from .record import Delivery, Found, Parcel, find_record, hand_over, packed, unpacked
from .spool import Spool
from .store import Link, StoreFault, digest
from .store_s3 import Patience

log = logging.getLogger(__name__)

#: What trying the destination and delivering what is left over may take, in seconds.
_OWN_LIMIT = 900.0


class Publisher:
    """Delivers videos by the operator's settings.

    Arguments:
        settings: the "what goes out" section.
        patience: how a failing bucket is tried again.

    Raises `WorkerError(STORAGE_UNAVAILABLE)` for a bucket that is configured by halves.
    """

    def __init__(self, settings: Settings, patience: Patience | None = None) -> None:
        self._settings = settings
        self._patience = patience
        self._operators = operators_destination(settings, patience)
        self._spool = Spool(spool_folder(settings), settings.spool_max_videos, settings.spool_max_bytes)

    def check(self, deadline: Deadline | None = None) -> None:
        """Try the destination, before any job is taken.

        Raises `WorkerError(STORAGE_UNAVAILABLE)`: nowhere to put a video, or a bucket that does not work.
        """
        if self._operators is None:
            if not self._settings.allow_job_bucket:
                raise nowhere()
            return
        if (store := self._operators.store) is not None:
            try:
                store.check(deadline or Deadline(_OWN_LIMIT))
            except StoreFault as fault:
                raise WorkerError(
                    ErrorCode.STORAGE_UNAVAILABLE,
                    f"The {store.noun} for videos {fault.reason}.",
                    retryable=fault.transient,
                ) from fault

    def require_destination(self, s3_config: object) -> None:
        """Make sure that a job's own bucket may be used; raises what `accept` raises before it tries it."""
        self._destination(s3_config)

    def accept(self, s3_config: object | None, deadline: Deadline) -> None:
        """Make sure that a job's video will have a place, before it is generated.

        Raises `WorkerError(INVALID_INPUT)` with a field for a job's own bucket that is not allowed, malformed
        or refuses its keys, `WorkerError(STORAGE_UNAVAILABLE)` where there is nowhere to put a video.
        """
        destination = self._destination(s3_config)
        if destination.where is Where.JOB_BUCKET and destination.store is not None:
            try:
                destination.store.check(deadline)
            except StoreFault as fault:
                code = ErrorCode.STORAGE_UNAVAILABLE if fault.transient else ErrorCode.INVALID_INPUT
                raise WorkerError(
                    code, f"The bucket of `s3Config` {fault.reason}.", field="s3Config"
                ) from fault

    def find(
        self, job_id: str, input_digest: str, deadline: Deadline, s3_config: object | None = None
    ) -> Found | None:
        """Return what an earlier run of this very job made, delivering it now if it is still in the spool.

        Arguments:
            job_id: the platform's id.
            input_digest: a digest of the job's input: the same id with another input is another job.

        Raises `WorkerError(STORAGE_UNAVAILABLE)` if the video exists but still cannot be delivered. A store
        that cannot be read counts as one that has no record.
        """
        destination = self._destination(s3_config)
        if destination.store is None:
            return None
        try:
            found = find_record(
                destination.where, destination.store, object_name(job_id), input_digest, deadline
            )
        except StoreFault as fault:
            log.warning(
                "no record of the job could be looked for: the %s %s", destination.store.noun, fault.reason
            )
            found = None
        if found is not None:
            return found
        entry = self._spool.find(object_name(job_id))
        kept = unpacked(entry) if entry is not None else None
        if kept is None or kept[1].input_digest != input_digest:
            return None
        parcel = kept[1]
        try:
            delivery = hand_over(destination.where, destination.store, parcel, deadline)
        except StoreFault as fault:
            raise _undelivered(destination.store.noun, fault, kept=True) from fault
        self._spool.forget(parcel.name)
        return Found(parcel.result, delivery)

    def deliver(
        self,
        job_id: str,
        input_digest: str,
        video: Path,
        result: Mapping[str, Any],
        deadline: Deadline,
        *,
        poster: Path | None = None,
        preview: Path | None = None,
        s3_config: object | None = None,
    ) -> Delivery:
        """Deliver a job's files, then its record.

        Arguments:
            job_id: the platform's id; it names the files.
            input_digest: what `find` will be asked with.
            video: the MP4; its owner removes it, as the other files.
            result: what the reply says beside the links; JSON.
            poster: a JPEG.
            preview: an animated WebP.
            s3_config: the job's own bucket.

        Raises `WorkerError(STORAGE_UNAVAILABLE)`, after the files went to the spool; `Cancelled`.
        """
        files = {".mp4": video, ".jpg": poster, ".webp": preview}
        parcel = Parcel(job_id, input_digest, {k: v for k, v in files.items() if v is not None}, result)
        try:
            destination = self._destination(s3_config)
        except WorkerError as error:
            if not error.retryable:
                raise
            # The job's bucket was there when the job was accepted; only its name cannot be looked up now.
            lost = StoreFault("cannot be reached", transient=True)
            raise _undelivered("bucket", lost, packed(Where.JOB_BUCKET, parcel, self._spool)) from error
        if (store := destination.store) is None:
            return self._inline(video)
        try:
            return hand_over(destination.where, store, parcel, deadline)
        except StoreFault as fault:
            raise _undelivered(store.noun, fault, packed(destination.where, parcel, self._spool)) from fault
        except WorkerError as error:
            # The deadline: the video is made and paid for, so it is kept like any other.
            late = StoreFault("did not take it before the job's deadline", transient=True)
            raise _undelivered(store.noun, late, packed(destination.where, parcel, self._spool)) from error

    def deliver_leftovers(self, deadline: Deadline | None = None) -> int:
        """Deliver what earlier runs had to keep, and return how many were delivered.

        Videos for a job's own bucket wait until the job is sent again: nobody's keys are kept on disk.
        """
        if self._operators is None or self._operators.store is None:
            return 0
        where, store, deadline = (
            self._operators.where,
            self._operators.store,
            deadline or Deadline(_OWN_LIMIT),
        )
        delivered = 0
        for entry in self._spool.entries():
            kept = unpacked(entry)
            if kept is None:
                log.error("spool: %s is not whole and goes", entry.name)
                self._spool.forget(entry.name)
                continue
            meant_for, parcel = kept
            if meant_for is Where.JOB_BUCKET:
                continue
            try:
                # A later run of the same job may have been delivered: its video stays as it was promised.
                if find_record(where, store, entry.name, None, deadline) is None:
                    hand_over(where, store, parcel, deadline)
                    delivered += 1
            except WorkerError as error:
                log.warning("leftover videos stay in the spool: %s", error)
                break
            except StoreFault as fault:
                log.warning("%s stays in the spool: the %s %s", entry.name, store.noun, fault)
                if fault.transient:
                    break
                continue
            except OSError as error:
                # Another worker that shares the spool was quicker, or the disk cannot read this one.
                log.warning("%s could not be read from the spool: %s", entry.name, error.strerror)
                continue
            self._spool.forget(entry.name)
        return delivered

    def _destination(self, s3_config: object | None) -> Destination:
        if s3_config is not None:
            return jobs_destination(s3_config, self._settings, self._patience)
        if self._operators is None:
            raise nowhere()
        return self._operators

    def _inline(self, video: Path) -> Delivery:
        facts, limit = digest(video), self._settings.inline_max_bytes
        if facts.bytes > limit:
            raise WorkerError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The video has {facts.bytes / 1e6:.1f} MB, more than the {limit / 1e6:.1f} MB that fit into "
                "a reply; this endpoint needs a bucket or a network volume.",
                retryable=False,
            )
        data = base64.b64encode(video.read_bytes()).decode()
        return Delivery(Where.INLINE, facts.bytes, facts.sha256, Link(), base64=data)


def _undelivered(noun: str, fault: StoreFault, kept: bool) -> WorkerError:
    fate = "it is kept and delivered when the same job is sent again" if kept else "it could not be kept"
    return WorkerError(
        ErrorCode.STORAGE_UNAVAILABLE, f"The video was made, but the {noun} {fault.reason}; {fate}."
    )

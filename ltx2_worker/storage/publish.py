"""A finished video leaves the worker here: delivered, recorded, and never lost.

A job whose record is found is answered from it; what a destination does not take waits in the outbox.
"""

import base64
import logging
import threading
import time
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.record import object_name

from ..deadline import Deadline
from ..settings import Settings
from .destination import Destination, jobs_destination, nowhere, operators_destination, outbox_folder
from .outbox import Outbox
from .record import Artifacts, Delivery, EarlierResult, find_record, store_all
from .redelivery import deliver_kept
from .s3_requests import RetryPolicy
from .store import Location, Store, StoreFault, digest_of

log = logging.getLogger(__name__)

#: What trying the destination and emptying the outbox may take, in seconds.
_OWN_LIMIT = 900.0
#: Seconds between a video that was kept and the next try to deliver it; the pause doubles up to the longest.
_PAUSE, _LONGEST_PAUSE = 60.0, 900.0


class Publisher:
    """Delivers videos by the operator's settings.

    Arguments:
        settings: the "what goes out" section.
        retries: how a failing bucket is tried again.
        pause: seconds between a video that was kept and the next try to deliver it.

    Raises `WorkerError(STORAGE_UNAVAILABLE)` for a bucket that is not configured completely.
    """

    def __init__(self, settings: Settings, retries: RetryPolicy | None = None, pause: float = _PAUSE) -> None:
        self._settings = settings
        self._pause = pause
        self._kept = threading.Event()
        self._retries = retries
        self._operators = operators_destination(settings, retries)
        self._outbox = Outbox(outbox_folder(settings), settings.spool_max_videos, settings.spool_max_bytes)

    def check(self, deadline: Deadline | None = None) -> None:
        """Try the operator's destination, before any job is taken.

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

    def destination(self, s3_config: object | None) -> Destination | None:
        """Return where a job's video goes, None where there is no place for it.

        Arguments:
            s3_config: the job's `s3Config`, as received.

        Raises `WorkerError(INVALID_INPUT)`, with a field, for a bucket of the job's own that is not allowed
        or malformed; `WorkerError(STORAGE_UNAVAILABLE)` where its host name cannot be looked up.
        """
        if s3_config is not None:
            return jobs_destination(s3_config, self._settings, self._retries)
        return self._operators

    def try_jobs_bucket(self, destination: Destination, deadline: Deadline) -> None:
        """Make sure that a bucket which a job brought takes files, before its video is generated.

        The operator's destination was tried when the worker started.

        Raises `WorkerError`, with a field: INVALID_INPUT for a bucket that refuses its keys,
        STORAGE_UNAVAILABLE for one that is down.
        """
        if destination.brought_by_job and destination.store is not None:
            try:
                destination.store.check(deadline)
            except StoreFault as fault:
                code = ErrorCode.STORAGE_UNAVAILABLE if fault.transient else ErrorCode.INVALID_INPUT
                raise WorkerError(
                    code, f"The bucket of `s3Config` {fault.reason}.", field="s3Config"
                ) from fault

    def find(
        self,
        key: str,
        input_digest: str,
        destination: Destination,
        deadline: Deadline,
        request_name: str | None = None,
    ) -> EarlierResult | None:
        """Return what an earlier run of this very job made, delivering it now if it is still in the outbox.

        Arguments:
            key: what the job's files are named after: the platform's id of the job.
            input_digest: a digest of the job's input: the same id with another input is another job.
            request_name: where the record of another job with the same `request_id` lies.

        Raises `WorkerError(STORAGE_UNAVAILABLE)` if the video exists but still cannot be delivered. A store
        that cannot be read counts as one that has no record.
        """
        store, name = destination.store, object_name(key)
        if store is None:
            return None
        for recorded in (name, request_name):
            if recorded and (found := _recorded(store, recorded, input_digest, deadline)) is not None:
                return found
        entry = self._outbox.find(name, input_digest)
        if entry is None and request_name is not None:
            entry = self._outbox.find_request(request_name, input_digest)
        if entry is None:
            return None
        try:
            delivery = store_all(store, entry.artifacts, deadline)
        except (StoreFault, OSError) as error:
            if isinstance(error, StoreFault) and _may_be_there(entry.folder):
                raise _undelivered(f"the {store.noun} {error.reason}", kept=True) from error
            # Another worker that shares the outbox has delivered the video meanwhile, or the disk fails.
            log.warning("kept video unreadable", extra={"entry": entry.folder.name, "why": str(error)})
            return _recorded(store, entry.artifacts.name, input_digest, deadline)
        if delivery.complete:
            self._outbox.forget(entry)
        return EarlierResult(entry.artifacts.result, delivery)

    def deliver(self, artifacts: Artifacts, destination: Destination, deadline: Deadline) -> Delivery:
        """Deliver a job's files, then its record.

        Raises `WorkerError(STORAGE_UNAVAILABLE)`, after the files went to the outbox; `Cancelled`.
        """
        if (store := destination.store) is None:
            return self._inline(artifacts.video)
        cause: Exception
        try:
            delivery = store_all(store, artifacts, deadline)
        except StoreFault as fault:
            cause, reason = fault, f"the {store.noun} {fault.reason}"
        except WorkerError as error:
            # The deadline: the video is made and paid for, so it is kept like any other.
            cause, reason = error, f"the {store.noun} did not take it before the job's deadline"
        except OSError as error:
            raise WorkerError(
                ErrorCode.STORAGE_UNAVAILABLE,
                "The video was made, but its file cannot be read back from this worker's disk.",
            ) from error
        else:
            if not delivery.complete:
                self._enqueue(artifacts, destination)
            return delivery
        raise _undelivered(reason, kept=self._enqueue(artifacts, destination)) from cause

    def attend_outbox(self) -> None:
        """Deliver what waits, now and some time after each video that had to be kept; never returns.

        A worker without a volume keeps videos on its own disk, which goes with it: it must not wait for a
        restart. Nothing that is met here may end the thread.
        """
        pause = self._pause
        while True:
            self._kept.clear()
            try:
                self.empty_outbox()
            except Exception:
                log.exception("the outbox could not be emptied")
                self._kept.set()
            if not self._kept.is_set():
                pause = self._pause
                self._kept.wait()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def empty_outbox(self, deadline: Deadline | None = None) -> int:
        """Deliver what had to be kept, and return how many videos were delivered.

        Videos for a job's own bucket wait until the job is sent again: nobody's keys are kept on disk.
        """
        if self._operators is None or self._operators.store is None:
            return 0
        delivered, again = deliver_kept(self._outbox, self._operators.store, deadline or Deadline(_OWN_LIMIT))
        if again:
            self._kept.set()
        return delivered

    def _enqueue(self, artifacts: Artifacts, destination: Destination) -> bool:
        kept = self._outbox.enqueue(artifacts, for_job_bucket=destination.brought_by_job)
        self._kept.set()
        return kept

    def _inline(self, video: Path) -> Delivery:
        facts, limit = digest_of(video), self._settings.inline_max_bytes
        if facts.bytes > limit:
            raise WorkerError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The video has {facts.bytes / 1e6:.1f} MB, more than the {limit / 1e6:.1f} MB that fit into "
                "a reply; this endpoint needs a bucket or a network volume.",
                retryable=False,
            )
        data = base64.b64encode(video.read_bytes()).decode()
        return Delivery(facts.bytes, facts.sha256, Location(), base64=data)


def _recorded(store: Store, name: str, input_digest: str, deadline: Deadline) -> EarlierResult | None:
    try:
        return find_record(store, name, input_digest, deadline)
    except StoreFault as fault:
        log.warning("no record could be looked for", extra={"why": f"the {store.noun} {fault.reason}"})
        return None


def _may_be_there(folder: Path) -> bool:
    """Whether a folder is there, or cannot be looked at."""
    try:
        folder.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def _undelivered(reason: str, *, kept: bool) -> WorkerError:
    fate = "it is kept and delivered when the same job is sent again" if kept else "it could not be kept"
    return WorkerError(ErrorCode.STORAGE_UNAVAILABLE, f"The video was made, but {reason}; {fate}.")

"""What waits in the outbox is tried again."""

import logging

from ltx2_api.errors import WorkerError

from ..deadline import Deadline
from .outbox import Outbox
from .record import VIDEO, Artifacts, find_record, store_all
from .store import Store, StoreFault, digest_of

log = logging.getLogger(__name__)


def deliver_kept(outbox: Outbox, store: Store, deadline: Deadline) -> tuple[int, bool]:
    """Deliver what the operator's destination did not take, and remove it from the outbox.

    Videos for a job's own bucket are left.

    Returns how many videos were delivered, and whether another try later can deliver more.
    """
    delivered, again = 0, False
    for entry in outbox.entries():
        if entry.for_job_bucket:
            continue
        facts = {"entry": entry.folder.name}
        try:
            name, input_digest = entry.artifacts.name, entry.artifacts.input_digest
            if find_record(store, name, None, deadline) is None:
                if _is_taken(store, entry.artifacts, deadline):
                    log.info("video stays in the outbox", extra=facts | {"why": "another has its name"})
                    continue
                if not store_all(store, entry.artifacts, deadline).complete:
                    again = True
                    break
                delivered += 1
            elif find_record(store, name, input_digest, deadline) is None:
                # The id was used again with another input: the video that is there was promised too, so
                # this one goes there only when its job is sent again.
                log.info("video stays in the outbox", extra=facts | {"why": "another has its name"})
                continue
        except StoreFault as fault:
            log.warning("video stays in the outbox", extra=facts | {"why": f"the {store.noun} {fault}"})
            if fault.transient:
                again = True
                break
            continue
        except WorkerError as error:
            log.warning("videos stay in the outbox", extra={"why": error.message})
            again = True
            break
        except OSError as error:
            # Another worker that shares the outbox was quicker, or the disk cannot read this one.
            log.warning("video stays in the outbox", extra=facts | {"why": error.strerror})
            continue
        outbox.forget(entry)
    return delivered, again


def _is_taken(store: Store, artifacts: Artifacts, deadline: Deadline) -> bool:
    """Whether a video without a record lies under the name of this one, and is another.

    A bucket that refuses records has it, or a worker was killed before it wrote one: its caller may have been
    told that it is there. So this one goes there only when its job is sent again.
    """
    name = artifacts.name + VIDEO
    digest = artifacts.digest or digest_of(artifacts.video)
    return store.has(name, deadline) and not store.holds(name, digest, deadline)

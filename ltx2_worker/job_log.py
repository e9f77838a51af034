"""What the log says of a job: the facts that a dashboard needs, whole in one line, under the same names."""

from ltx2_api.reply import VideoRecord

from .deadline import Deadline
from .plan import Plan
from .storage.record import Delivery


def planned(plan: Plan) -> dict[str, object]:
    """The fields of a job that was accepted, and of every later line that sums it up."""
    return {
        "mode": plan.mode,
        "model": plan.family.name,
        "quality": plan.quality,
        "preview": plan.preview,
        "size": str(plan.delivered),
        "seconds": plan.seconds,
        "credits": plan.credits,
    }


def done(
    plan: Plan,
    record: VideoRecord,
    delivery: Delivery,
    deadline: Deadline,
    *,
    upload_seconds: float,
    device: str,
) -> dict[str, object]:
    """The fields of a job that was delivered.

    Arguments:
        deadline: the job's: it was made when the job was accepted.
        upload_seconds: how long the store took.
        device: the GPU, as the engine names it.
    """
    return planned(plan) | {
        "job_seconds": round(deadline.seconds - deadline.remaining(), 3),
        "upload_seconds": round(upload_seconds, 3),
        "bytes": delivery.bytes,
        "recorded": delivery.complete,
        "timings": record.timings,
        "checkpoint": plan.checkpoint.name,
        "device": device,
    }

"""What the log says of a job: the facts that a dashboard needs, whole in one line, under the same names."""

from ltx2_api.job import JobInput
from ltx2_api.reply import VideoRecord
from ltx2_api.ways import WAYS

from .deadline import Deadline
from .plan import Plan
from .storage.record import Delivery


def planned(job: JobInput, plan: Plan) -> dict[str, object]:
    """The fields of a job that was accepted, and of every later line that sums it up.

    Arguments:
        job: says which ways beyond the plain job it asks for.
    """
    return {
        "mode": plan.mode,
        "model": plan.family.name,
        "quality": plan.quality,
        "ways": [way.name for way in WAYS if way.asked_by(job) is not None],
        "preview": plan.preview,
        "size": str(plan.delivered),
        "seconds": plan.seconds,
        "credits": plan.credits,
    }


def done(
    job: JobInput,
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
        job, plan: as for `planned`.
        deadline: the job's: it was made when the job was accepted.
        upload_seconds: how long the store took.
        device: the GPU, as the engine names it.
    """
    return planned(job, plan) | {
        "job_seconds": round(deadline.seconds - deadline.remaining(), 3),
        "upload_seconds": round(upload_seconds, 3),
        "bytes": delivery.bytes,
        "recorded": delivery.complete,
        "timings": record.timings,
        "checkpoint": plan.checkpoint.name,
        "device": device,
    }

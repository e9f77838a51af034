"""What is counted of jobs: how many, how long, how much; named as OpenTelemetry names metrics."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.metrics import Meter

from ltx2_api.errors import ErrorCode

from .event import LogEvent

#: Event -> what became of the job.
OUTCOMES = {
    "job done": "done",
    "dry run": "dry_run",
    "job answered from its record": "from_record",
    "job cancelled": "cancelled",
    "job failed": "failed",
    "job failed unexpectedly": "failed",
}
#: Events that alerts ask for; they are exported as 0 before the first one.
WATCHED = (
    "worker does not start",
    "worker gives up",
    "engine ended",
    "job accepted",
    "job failed unexpectedly",
    "video stays in the outbox",
    "videos stay in the outbox",
    "platform post tried again",
    "signing certificate ends soon",
)
#: Seconds, for jobs and their stages: from a preview's to the longest video's.
_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 3600)


class JobMetrics:
    """The instruments; used on one thread.

    Arguments:
        meter: makes them.
    """

    def __init__(self, meter: Meter) -> None:
        self._events = meter.create_counter("ltx2.events", "{event}", "Events of the worker's log.")
        self._jobs = meter.create_counter("ltx2.jobs", "{job}", "Jobs that ended, by outcome and error code.")
        self._credits = meter.create_counter("ltx2.credits", "{credit}", "Credits of delivered jobs.")
        self._bytes = meter.create_counter("ltx2.video.size", "By", "Bytes of delivered videos.")
        self._length = meter.create_counter("ltx2.video.length", "s", "Seconds of video that were delivered.")
        self._job_seconds = _histogram(meter, "ltx2.job.duration", "From acceptance to delivery.")
        self._stage_seconds = _histogram(meter, "ltx2.stage.duration", "One stage of a delivered job.")
        self._upload_seconds = _histogram(meter, "ltx2.upload.duration", "The store's part of a delivery.")
        self._boot_seconds = _histogram(meter, "ltx2.engine.boot.duration", "One boot of the engine.")
        for name in WATCHED:
            self._events.add(0, {"event": name})
        for outcome in sorted(set(OUTCOMES.values()) - {"failed"}):
            self._jobs.add(0, {"outcome": outcome})
        for code in ErrorCode:
            self._jobs.add(0, {"outcome": "failed", "code": str(code)})

    def take(self, event: LogEvent) -> None:
        """Count an event."""
        fields = event.fields
        self._events.add(1, {"event": event.name})
        if outcome := OUTCOMES.get(event.name):
            code = {"code": str(fields.get("code", ErrorCode.INTERNAL))} if outcome == "failed" else {}
            self._jobs.add(1, {"outcome": outcome, **code})
        if event.name == "job done":
            self._done(fields)
        elif event.name == "engine booted":
            self._boot_seconds.record(fields["seconds"])

    def _done(self, fields: Mapping[str, Any]) -> None:
        kind = {name: fields[name] for name in ("quality", "size", "preview")}
        where = kind | {"device": fields["device"]}
        self._credits.add(fields["credits"], kind)
        self._bytes.add(fields["bytes"], kind)
        self._length.add(fields["seconds"], kind)
        self._job_seconds.record(fields["job_seconds"], where | {"seconds": fields["seconds"]})
        self._upload_seconds.record(fields["upload_seconds"], kind)
        for stage, seconds in fields["timings"].items():
            self._stage_seconds.record(seconds, kind | {"stage": stage})


def _histogram(meter: Meter, name: str, description: str) -> Any:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=_SECONDS)

"""One trace a job: the job, and below it a span for each of its stages."""

from collections import OrderedDict
from dataclasses import dataclass

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context

from ltx2_api.progress import Stage

from .event import LogEvent, trace_id

#: A worker has 16 jobs in hand at most; an older one's end was missed.
MOST_OPEN = 32
#: What of an event becomes a span's attribute, under `ltx2.` and its own name.
ATTRIBUTES = (
    *("mode", "quality", "preview", "size", "seconds", "credits", "deadline"),
    *("job_seconds", "upload_seconds", "bytes", "recorded", "checkpoint", "device", "code", "field"),
)
#: Events that end a job, and whether that is a failure.
ENDS = {
    "job done": False,
    "dry run": False,
    "job answered from its record": False,
    "job cancelled": False,
    "warmed up": False,
    "job failed": True,
    "job failed unexpectedly": True,
}


class TraceIdOfJob(RandomIdGenerator):
    """Trace ids made of job ids: whoever knows a job finds its trace; a retry is in the same one."""

    def __init__(self) -> None:
        self.job_id: str | None = None

    def generate_trace_id(self) -> int:
        """As OpenTelemetry asks for it."""
        return super().generate_trace_id() if self.job_id is None else trace_id(self.job_id)


@dataclass
class _Open:
    job: Span
    stage: Span | None = None


class JobSpans:
    """The spans of the jobs in hand; used on one thread.

    Arguments:
        tracer: makes spans.
        ids: told of the job before a span is made.
    """

    def __init__(self, tracer: Tracer, ids: TraceIdOfJob) -> None:
        self._tracer, self._ids = tracer, ids
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def take(self, event: LogEvent) -> None:
        """Begin or end what the event begins or ends."""
        if (job_id := event.job_id) is None:
            return
        if event.name == "job accepted":
            self._begin(job_id, event)
            self._stage(job_id, Stage.PREPARING, event)
        elif event.name == "job stage":
            self._stage(job_id, str(event.fields["stage"]), event)
        elif event.name == "job run again" and job_id in self._open:
            self._open[job_id].job.add_event(event.name, timestamp=_nanoseconds(event))
        elif event.name in ENDS:
            self._end(job_id, event)

    def close(self) -> None:
        """End what is open, as the worker ends."""
        while self._open:
            _, entry = self._open.popitem()
            _finish(entry)

    def _begin(self, job_id: str, event: LogEvent) -> _Open:
        if (old := self._open.pop(job_id, None)) is not None:
            _finish(old)
        if len(self._open) >= MOST_OPEN:
            _finish(self._open.popitem(last=False)[1])
        self._ids.job_id = job_id
        attributes = _attributes(event) | {"ltx2.job.id": job_id}
        span = self._tracer.start_span("job", attributes=attributes, start_time=_nanoseconds(event))
        self._ids.job_id = None
        entry = self._open[job_id] = _Open(span)
        return entry

    def _stage(self, job_id: str, stage: str, event: LogEvent) -> None:
        if (entry := self._open.get(job_id)) is None:
            return
        at = _nanoseconds(event)
        if entry.stage is not None:
            entry.stage.end(at)
        entry.stage = self._tracer.start_span(
            stage,
            context=set_span_in_context(entry.job),
            attributes={"ltx2.job.id": job_id},
            start_time=at,
        )

    def _end(self, job_id: str, event: LogEvent) -> None:
        # A job that was refused, or answered from its record, may never have been accepted.
        entry = self._open.get(job_id) or self._begin(job_id, event)
        del self._open[job_id]
        entry.job.set_attributes(_attributes(event) | {"ltx2.outcome": event.name})
        if ENDS[event.name]:
            entry.job.set_status(Status(StatusCode.ERROR, str(event.fields.get("error", event.name))))
        _finish(entry, _nanoseconds(event))


def _finish(entry: _Open, at: int | None = None) -> None:
    if entry.stage is not None:
        entry.stage.end(at)
    entry.job.end(at)


def _attributes(event: LogEvent) -> dict[str, str | bool | int | float]:
    return {
        f"ltx2.{name}": value
        for name in ATTRIBUTES
        if isinstance(value := event.fields.get(name), str | bool | int | float)
    }


def _nanoseconds(event: LogEvent) -> int:
    return int(event.at * 1e9)

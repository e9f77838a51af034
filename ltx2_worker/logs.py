"""One line an event: JSON where a machine reads the log, short text where a person does."""

import json
import logging
import os
import sys
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

#: The job that the current thread or task works on; every line says it.
JOB_ID: ContextVar[str | None] = ContextVar("job_id", default=None)

#: Longest text of one field; what the engine prints can be long.
MAX_FIELD = 4000

#: Field of every JSON line -> variable of the environment.
ORIGIN = {"worker": "RUNPOD_POD_ID", "region": "RUNPOD_DC_ID", "revision": "LTX2_REVISION"}

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def set_up(*, as_json: bool, level: str, without: Collection[str] = ()) -> None:
    """Send the worker's log to standard error, in one of two forms.

    Arguments:
        without: events that whoever reads this is told in another way.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: record.getMessage() not in without)
    handler.setFormatter(JsonLines(origin()) if as_json else _TextLines())
    logger = logging.getLogger("ltx2_worker")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    # These write whole URLs, signatures included, into their warnings.
    for name in ("urllib3", "botocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def origin() -> dict[str, str]:
    """Which of many workers writes: RunPod's names for it and its data centre, and the image's revision."""
    return {field: os.environ[name] for field, name in ORIGIN.items() if os.environ.get(name)}


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """What an event carries beyond its text: the job, and whatever was given as `extra`."""
    own = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    job_id = JOB_ID.get()
    fields: dict[str, object] = {"job_id": job_id} if job_id and "job_id" not in own else {}
    fields |= {key: value[:MAX_FIELD] if isinstance(value, str) else value for key, value in own.items()}
    if record.exc_info and record.exc_info[0]:
        fields["exception"] = logging.Formatter().formatException(record.exc_info)[-MAX_FIELD:]
    return fields


class JsonLines(logging.Formatter):
    """One JSON object a line.

    Arguments:
        everywhere: fields of every line.
    """

    def __init__(self, everywhere: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._everywhere = dict(everywhere or {})

    def format(self, record: logging.LogRecord) -> str:  # noqa: D102 - the base class's
        head = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "source": record.name,
        }
        event = {"event": record.getMessage()[:MAX_FIELD]}
        return json.dumps(head | self._everywhere | event | fields_of(record), default=str)


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = fields_of(record)
        exception = fields.pop("exception", None)
        # json.dumps escapes control characters: nothing a stranger sent can forge a line.
        text = " ".join(f"{key}={json.dumps(value, default=str)}" for key, value in fields.items())
        message = json.dumps(record.getMessage()[:MAX_FIELD], ensure_ascii=False)[1:-1]
        line = f"{when} {record.levelname.lower():7} {message} {text}".rstrip()
        return f"{line}\n{exception}" if exception else line

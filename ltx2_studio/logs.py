"""One JSON object a line, on standard error: constant event names, values in fields of their own."""

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
#: Characters of one field.
MOST = 4000


class JsonLines(logging.Formatter):
    """A record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "source": record.name,
            "event": record.getMessage()[:MOST],
        }
        fields = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        line |= {name: value[:MOST] if isinstance(value, str) else value for name, value in fields.items()}
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self.formatException(record.exc_info)[-MOST:]
        return json.dumps(line, default=str)


def set_up(level: str) -> None:
    """Send every log to standard error; libraries that write addresses into theirs are quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("httpx2", "httpcore2", "urllib3", "botocore", "boto3", "alembic", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)

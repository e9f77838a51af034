"""A client for LTX-2 on RunPod that never pays twice and never loses a video.

from ltx2_client import Client

with Client() as client:
    video = client.run({"prompt": "A red kite circles over a hill farm; wind, distant sheep."})
    print(video.download("kite.mp4"))
"""

from . import webhook
from .aio import AsyncClient, AsyncHandle, AsyncVideo
from .batch import TakeResult
from .bucket import Bucket
from .client import Client, Handle, Video
from .errors import (
    BadDownload,
    BadReply,
    Cancelled,
    Expired,
    InvalidJob,
    JobFailed,
    JournalUnwritable,
    Ltx2Error,
    NotConfigured,
    NotFound,
    RateLimited,
    Refused,
    SubmitUnknown,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from .events import Done, Downloading, Event, Queued, Running, TakeEnded, TakeStarted, Troubled
from .journal import Entry, Journal
from .models import Health, JobBucket, Policy, State, Status
from .scenes import Scene, read_scenes
from .standing import BatchPlan
from .submitting import Price

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AsyncHandle",
    "AsyncVideo",
    "BadDownload",
    "BadReply",
    "BatchPlan",
    "Bucket",
    "Cancelled",
    "Client",
    "Done",
    "Downloading",
    "Entry",
    "Event",
    "Expired",
    "Handle",
    "Health",
    "InvalidJob",
    "JobBucket",
    "JobFailed",
    "Journal",
    "JournalUnwritable",
    "Ltx2Error",
    "NotConfigured",
    "NotFound",
    "Policy",
    "Price",
    "Queued",
    "RateLimited",
    "Refused",
    "Running",
    "Scene",
    "State",
    "Status",
    "SubmitUnknown",
    "TakeEnded",
    "TakeResult",
    "TakeStarted",
    "TimedOut",
    "Troubled",
    "Unauthorized",
    "Unreachable",
    "Video",
    "read_scenes",
    "webhook",
]

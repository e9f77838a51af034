"""The client: submit a job once, follow it, resume it, fetch its video. `aio.py` is its asynchronous twin."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import PrivateAttr

from ltx2_api.reply import DryRunResult, VideoResult

from .batch import TakeResult, batch_in_thread, plan_batch
from .bucket import Bucket
from .config import rules_for
from .drive import Driver, Listener
from .events import Event
from .journal import Journal
from .models import Health, JobBucket, Policy, Status
from .rules import video_only
from .scenes import Scene
from .standing import BatchPlan
from .submitting import JobLike, Options, Price, check


class Client:
    """One endpoint. Safe to use from several threads; close it, or use it in a `with`.

    Arguments:
        endpoint: the endpoint's id; default: `LTX2_ENDPOINT_ID` or `RUNPOD_ENDPOINT_ID`.
        key: RunPod's API key; default: `RUNPOD_API_KEY`.
        url: RunPod's API; default: `LTX2_API_URL`, else RunPod itself.
        timeout: seconds without any byte after which a request is given up.
        journal: where submitted jobs are written down; "default" is the user's own, None is nowhere: for a
            backend that keeps its own books.
        bucket: the endpoint's bucket; default: from the worker's `BUCKET_…` variables, if they are set.

    Raises:
        NotConfigured: no endpoint or key.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        key: str | None = None,
        *,
        url: str | None = None,
        timeout: float = 30.0,
        journal: Journal | Literal["default"] | None = "default",
        bucket: Bucket | None = None,
    ) -> None:
        kept = Journal.default() if journal == "default" else journal
        self._rules = rules_for(
            endpoint=endpoint, key=key, url=url, timeout=timeout, journal=kept, bucket=bucket
        )
        self._driver = Driver()

    @property
    def endpoint(self) -> str:
        """The endpoint's id."""
        return self._rules.address.endpoint

    def price(self, job: JobLike) -> Price:
        """What a job costs, by the price list; nothing is asked of anyone. Raises `InvalidJob`."""
        return check(job).price

    def plan(self, job: JobLike, *, timeout: float | None = 300.0) -> DryRunResult:
        """What a worker would do for a job: size, frames, files, expected seconds. Free; it wakes a worker.

        Raises:
            JobFailed: the endpoint cannot do it.
            TimedOut: no worker answered within `timeout` seconds; the question is withdrawn.
        """
        return self._driver.run(self._rules.plan(job, timeout))

    def submit(
        self,
        job: JobLike,
        *,
        webhook: str | None = None,
        policy: Policy | None = None,
        bucket: JobBucket | None = None,
    ) -> "Handle":
        """Submit a job: one POST, never a second one by itself. Its id is in the journal before this returns.

        Arguments:
            job: a `JobInput`, or the fields of one.
            webhook: an address to which RunPod posts the finished job.
            policy: how RunPod treats the job; default: six hours to live.
            bucket: the caller's own bucket for this job.

        Raises:
            InvalidJob: every fault of the input; nothing was sent.
            SubmitUnknown: the request went out and no usable answer came back.
            Unauthorized, NotFound, Refused, RateLimited, Unreachable: it was not taken.
        """
        return Handle(self, self._driver.run(self._rules.submit(job, Options(webhook, policy, bucket))))

    def handle(self, job_id: str) -> "Handle":
        """A job by its id: submitted by any process, on any machine."""
        return Handle(self, job_id)

    def find(self, request_id: str) -> "Handle | None":
        """The job that was made under a `request_id`, after a submit that went unheard; None if none is done.

        Raises:
            NotConfigured: this client has no keys to the endpoint's bucket, where its record lies.
        """
        job_id = self._driver.run(self._rules.find(request_id))
        return None if job_id is None else Handle(self, job_id)

    def run(
        self,
        job: JobLike,
        *,
        on: Listener | None = None,
        timeout: float | None = None,
        on_timeout: Literal["leave", "cancel"] = "leave",
        webhook: str | None = None,
        policy: Policy | None = None,
        bucket: JobBucket | None = None,
    ) -> "Video":
        """Submit a job and wait for its video: `submit`, then `Handle.wait`.

        Arguments:
            on: is called with every event.
            timeout: seconds to wait; None for as long as the job lives.
            on_timeout: what becomes of a job that is waited for no longer.
        """
        options = Options(webhook, policy, bucket)
        job_id, result = self._driver.run(
            self._rules.run(job, options, timeout, cancel=on_timeout == "cancel"), on
        )
        return Video.of(result, Handle(self, job_id))

    def plan_batch(self, scenes: Sequence[Scene], *, out: Path, resubmit: bool = False) -> BatchPlan:
        """What `batch` would make, resume and cost; nothing is sent. Raises `InvalidJob`."""
        return plan_batch(self._rules, scenes, out, resubmit=resubmit)

    def batch(
        self,
        scenes: Sequence[Scene],
        *,
        out: Path,
        at_once: int = 4,
        max_credits: int | None = None,
        resubmit: bool = False,
        on: Listener | None = None,
    ) -> list[TakeResult]:
        """Make many scenes into a folder with a manifest; the same call again makes only what is missing.

        Arguments:
            out: the folder; `manifest.json` in it says what was submitted and what is there.
            at_once: jobs in hand at a time.
            max_credits: refuse the batch if what is missing of it costs more.
            resubmit: also make what may have been submitted already, by a process that was killed, say.
            on: is called with every event of every job.

        Raises:
            InvalidJob: a scene is at fault, or the batch costs too much; nothing was sent.
        """
        return batch_in_thread(
            self._rules,
            scenes,
            out=out,
            at_once=at_once,
            max_credits=max_credits,
            resubmit=resubmit,
            on=on,
        )

    def health(self) -> Health:
        """What the endpoint has to do, and with how many workers."""
        return self._driver.run(self._rules.health())

    def purge_queue(self) -> int:
        """Remove all jobs that wait, everybody's; returns how many there were."""
        return self._driver.run(self._rules.purge_queue())

    def close(self) -> None:
        """Close all connections; jobs go on."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class Handle:
    """A submitted job.

    Attributes:
        id: RunPod's id of it: what to keep.
    """

    def __init__(self, client: Client, job_id: str) -> None:
        self._rules, self._driver, self.id = client._rules, client._driver, job_id

    def status(self) -> Status:
        """Ask once how the job is. Raises `Expired` if RunPod does not know it."""
        return self._driver.run(self._rules.status(self.id))

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Follow the job, event by event, to its end; raises what `wait` raises."""
        return self._driver.iterate(self._rules.follow(self.id, timeout))

    def wait(self, timeout: float | None = None, *, on: Listener | None = None) -> "Video":
        """Follow the job to its end and return its video.

        Arguments:
            timeout: seconds; None for as long as a job can live.
            on: is called with every event.

        Raises:
            JobFailed, Cancelled, Expired: how it ended.
            TimedOut: the wait ended; the job goes on.
        """
        result = self._driver.run(self._rules.follow(self.id, timeout), on)
        return Video.of(video_only(result), self)

    def result(self) -> "Video":
        """The video of a job that has ended, without waiting; from the bucket if RunPod has forgotten it."""
        return Video.of(self._driver.run(self._rules.result(self.id)), self)

    def cancel(self) -> Status:
        """Cancel the job and return its state after that: one that had ended before stays as it was."""
        return self._driver.run(self._rules.cancel(self.id))

    def retry(self) -> "Handle":
        """Run a failed job again under its own id; a video that was kept is delivered, not made anew."""
        self._driver.run(self._rules.retry(self.id))
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


class Video(VideoResult):
    """A finished job: the worker's reply, and the way to its file.

    Keep `job_id` and `sha256`, not `url`: the link stops working.
    """

    _handle: Handle = PrivateAttr()

    @classmethod
    def of(cls, result: VideoResult, handle: Handle) -> Self:
        """Bind a reply to the client that it came through."""
        video = cls.model_validate(result.model_dump())
        video._handle = handle
        return video

    def download(
        self,
        to: str | Path,
        *,
        poster: bool = False,
        overwrite: bool = False,
        on: Listener | None = None,
    ) -> Path:
        """Fetch the video, or its poster, and return where it lies.

        What was fetched before is gone on with; size and checksum are compared; the file has its name only
        when it is whole. A link that has stopped working is renewed once.

        Arguments:
            to: a file, or a folder.
            overwrite: replace another file of that name.
            on: is called with `Downloading` events.

        Raises:
            BadDownload: with the reason.
        """
        handle = self._handle
        return handle._driver.run(handle._rules.download(self, Path(to), poster, overwrite, on))

"""The asynchronous client: the methods of `client.py`, awaited, on asyncio or trio.

The rules are written once, in `rules.py`; here they are carried out. A test holds the names, parameters and
defaults of the two together.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import PrivateAttr

from ltx2_api.reply import DryRunResult, VideoResult

from .batch import TakeResult, batch, plan_batch
from .bucket import Bucket
from .config import rules_for
from .drive import AsyncDriver, Listener
from .events import Event
from .journal import Journal
from .models import Health, JobBucket, Policy, Status
from .rules import video_only
from .scenes import Scene
from .standing import BatchPlan
from .submitting import JobLike, Options, Price, check


class AsyncClient:
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
        self._driver = AsyncDriver()

    @property
    def endpoint(self) -> str:
        """The endpoint's id."""
        return self._rules.address.endpoint

    def price(self, job: JobLike) -> Price:
        """See `Client.price`."""
        return check(job).price

    async def plan(self, job: JobLike, *, timeout: float | None = 300.0) -> DryRunResult:
        """See `Client.plan`."""
        return await self._driver.run(self._rules.plan(job, timeout))

    async def submit(
        self,
        job: JobLike,
        *,
        webhook: str | None = None,
        policy: Policy | None = None,
        bucket: JobBucket | None = None,
    ) -> "AsyncHandle":
        """See `Client.submit`."""
        return AsyncHandle(
            self, await self._driver.run(self._rules.submit(job, Options(webhook, policy, bucket)))
        )

    def handle(self, job_id: str) -> "AsyncHandle":
        """See `Client.handle`."""
        return AsyncHandle(self, job_id)

    async def find(self, request_id: str) -> "AsyncHandle | None":
        """See `Client.find`."""
        job_id = await self._driver.run(self._rules.find(request_id))
        return None if job_id is None else AsyncHandle(self, job_id)

    async def run(
        self,
        job: JobLike,
        *,
        on: Listener | None = None,
        timeout: float | None = None,
        on_timeout: Literal["leave", "cancel"] = "leave",
        webhook: str | None = None,
        policy: Policy | None = None,
        bucket: JobBucket | None = None,
    ) -> "AsyncVideo":
        """See `Client.run`."""
        options = Options(webhook, policy, bucket)
        job_id, result = await self._driver.run(
            self._rules.run(job, options, timeout, cancel=on_timeout == "cancel"), on
        )
        return AsyncVideo.of(result, AsyncHandle(self, job_id))

    def plan_batch(self, scenes: Sequence[Scene], *, out: Path, resubmit: bool = False) -> BatchPlan:
        """See `Client.plan_batch`."""
        return plan_batch(self._rules, scenes, out, resubmit=resubmit)

    async def batch(
        self,
        scenes: Sequence[Scene],
        *,
        out: Path,
        at_once: int = 4,
        max_credits: int | None = None,
        resubmit: bool = False,
        on: Listener | None = None,
    ) -> list[TakeResult]:
        """See `Client.batch`."""
        return await batch(
            self._driver,
            self._rules,
            scenes,
            out=out,
            at_once=at_once,
            max_credits=max_credits,
            resubmit=resubmit,
            on=on,
        )

    async def health(self) -> Health:
        """See `Client.health`."""
        return await self._driver.run(self._rules.health())

    async def purge_queue(self) -> int:
        """See `Client.purge_queue`."""
        return await self._driver.run(self._rules.purge_queue())

    async def close(self) -> None:
        """See `Client.close`."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()


class AsyncHandle:
    """A submitted job.

    Attributes:
        id: RunPod's id of it: what to keep.
    """

    def __init__(self, client: AsyncClient, job_id: str) -> None:
        self._rules, self._driver, self.id = client._rules, client._driver, job_id

    async def status(self) -> Status:
        """See `Handle.status`."""
        return await self._driver.run(self._rules.status(self.id))

    def events(self, timeout: float | None = None) -> AsyncIterator[Event]:
        """See `Handle.events`."""
        return self._driver.iterate(self._rules.follow(self.id, timeout))

    async def wait(self, timeout: float | None = None, *, on: Listener | None = None) -> "AsyncVideo":
        """See `Handle.wait`."""
        result = await self._driver.run(self._rules.follow(self.id, timeout), on)
        return AsyncVideo.of(video_only(result), self)

    async def result(self) -> "AsyncVideo":
        """See `Handle.result`."""
        return AsyncVideo.of(await self._driver.run(self._rules.result(self.id)), self)

    async def cancel(self) -> Status:
        """See `Handle.cancel`."""
        return await self._driver.run(self._rules.cancel(self.id))

    async def retry(self) -> "AsyncHandle":
        """See `Handle.retry`."""
        await self._driver.run(self._rules.retry(self.id))
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


class AsyncVideo(VideoResult):
    """A finished job: the worker's reply, and the way to its file.

    Keep `job_id` and `sha256`, not `url`: the link stops working.
    """

    _handle: AsyncHandle = PrivateAttr()

    @classmethod
    def of(cls, result: VideoResult, handle: AsyncHandle) -> Self:
        """See `Video.of`."""
        video = cls.model_validate(result.model_dump())
        video._handle = handle
        return video

    async def download(
        self,
        to: str | Path,
        *,
        poster: bool = False,
        overwrite: bool = False,
        on: Listener | None = None,
    ) -> Path:
        """See `Video.download`."""
        handle = self._handle
        return await handle._driver.run(handle._rules.download(self, Path(to), poster, overwrite, on))

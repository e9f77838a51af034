"""What a platform puts its own behind: who is asking, where jobs go, where files lie."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from ltx2_api.reply import VideoResult
from ltx2_client import AsyncClient, Policy, Status

from .database import reader_of
from .tables import tokens


class Auth(Protocol):
    """Tells whose request it is."""

    def account(self, token: str) -> str | None:
        """The account behind a bearer token; None if it is nobody's."""


class Queue(Protocol):
    """The endpoint. Errors are those of `ltx2_client.errors`."""

    async def submit(self, given: dict[str, Any], webhook: str | None) -> str:
        """Send a job once; its id. Raises SubmitUnknown where it is not known whether it was taken."""

    async def status(self, job_id: str) -> Status:
        """How a job is. Raises Expired where it is known no more."""

    async def cancel(self, job_id: str) -> Status:
        """Cancel a job."""

    async def retry(self, job_id: str) -> None:
        """Run a failed job again under its id."""

    async def why_waiting(self) -> str | None:
        """Why jobs wait: cold_start, busy or no_workers."""


@dataclass(frozen=True)
class UploadPlace:
    """Where a browser puts a file, and what the worker calls it."""

    put_url: str
    headers: dict[str, str]
    url: str


class Links(Protocol):
    """Links to what lies in the endpoint's bucket; each is made when it is asked for."""

    def video(self, job_id: str, reply: VideoResult, name: str | None) -> str | None:
        """A link to a video; with a name it is downloaded under that name."""

    def poster(self, job_id: str, reply: VideoResult) -> str | None:
        """A link to a video's poster."""

    def record(self, job_id: str) -> VideoResult | None:
        """What the bucket's record says of a job; None without a whole record."""

    def upload(self, key: str, bytes_: int, digest: str) -> UploadPlace | None:
        """A place for one file of just this size and digest; None where there is no bucket."""

    def uploaded(self, key: str) -> str | None:
        """A link to a file that was put there; None where there is no bucket."""

    def own_upload(self, account: str, url: str) -> str | None:
        """The key of an account's upload, by what a job names it; None if it is anything else."""

    @property
    def keeps_files(self) -> bool:
        """Whether there is a bucket: for uploads, and for films."""

    def remove_video(self, job_id: str, request_id: str) -> None:
        """Delete all that was delivered for a job; what is not there is deleted already."""

    def keep_film(self, film: str, path: Path) -> None:
        """Put a rendered film into the bucket; the same one may be put there again."""

    def film(self, film: str, name: str | None) -> str | None:
        """A link to a film; with a name it is downloaded under that name."""

    def remove_film(self, film: str) -> None:
        """Delete a film; one that is not there is deleted already."""

    @property
    def origins(self) -> tuple[str, ...]:
        """Where the links lead, as a page's Content-Security-Policy names it."""


class TokenAuth:
    """Bearer tokens in a table, as digests."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, self._reader = engine, reader_of(engine)

    def account(self, token: str) -> str | None:
        """See `Auth`."""
        digest = sha256(token.encode()).hexdigest()
        with self._reader.begin() as db:
            return db.scalar(sa.select(tokens.c.account).where(tokens.c.digest == digest))

    def add(self, token: str, account: str) -> None:
        """Let a token stand for an account."""
        with self._engine.begin() as db:
            db.execute(sa.insert(tokens).values(digest=sha256(token.encode()).hexdigest(), account=account))


class EndpointQueue:
    """A RunPod endpoint, through the client that sends a job once.

    Arguments:
        client: without a journal: the table is the journal.
        ttl: seconds for which RunPod keeps a job, waiting or running.
    """

    def __init__(self, client: AsyncClient, ttl: float) -> None:
        self._client, self._ttl = client, ttl

    async def submit(self, given: dict[str, Any], webhook: str | None) -> str:
        """See `Queue`."""
        policy = Policy(ttl=timedelta(seconds=self._ttl).total_seconds())
        return (await self._client.submit(given, webhook=webhook, policy=policy)).id

    async def status(self, job_id: str) -> Status:
        """See `Queue`."""
        return await self._client.handle(job_id).status()

    async def cancel(self, job_id: str) -> Status:
        """See `Queue`."""
        return await self._client.handle(job_id).cancel()

    async def retry(self, job_id: str) -> None:
        """See `Queue`."""
        await self._client.handle(job_id).retry()

    async def why_waiting(self) -> str | None:
        """See `Queue`."""
        workers = (await self._client.health()).workers
        if workers.throttled == workers.total:  # also where there are none
            return "no_workers"
        return "busy" if workers.running else "cold_start"


class ReplyLinks:
    """Links as the worker's reply has them: they end when the worker's own do."""

    def video(self, job_id: str, reply: VideoResult, name: str | None) -> str | None:
        """See `Links`."""
        return reply.url

    def poster(self, job_id: str, reply: VideoResult) -> str | None:
        """See `Links`."""
        return reply.poster_url

    def record(self, job_id: str) -> VideoResult | None:
        """See `Links`."""
        return None

    def upload(self, key: str, bytes_: int, digest: str) -> UploadPlace | None:
        """See `Links`."""
        return None

    def uploaded(self, key: str) -> str | None:
        """See `Links`."""
        return None

    def own_upload(self, account: str, url: str) -> str | None:
        """See `Links`."""
        return None

    @property
    def keeps_files(self) -> bool:
        """See `Links`."""
        return False

    def remove_video(self, job_id: str, request_id: str) -> None:
        """See `Links`."""

    def keep_film(self, film: str, path: Path) -> None:
        """See `Links`."""
        raise NotImplementedError("there is no bucket")

    def film(self, film: str, name: str | None) -> str | None:
        """See `Links`."""
        return None

    def remove_film(self, film: str) -> None:
        """See `Links`."""

    @property
    def origins(self) -> tuple[str, ...]:
        """See `Links`; the reply's links may lead anywhere."""
        return ("https:", "http:")

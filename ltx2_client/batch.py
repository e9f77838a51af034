"""Many scenes into a folder: submitted a few at a time, written down, and gone on with by the same call."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
from anyio.from_thread import start_blocking_portal

from ltx2_api.fields import MAX_SEED
from ltx2_api.reply import VideoResult

from . import last_frame
from .drive import AsyncDriver, Listener
from .errors import Cancelled, Expired, InvalidJob, JobFailed, Ltx2Error, Refused, SubmitUnknown
from .events import TakeEnded, TakeStarted
from .manifest import Manifest, TakeRecord, TakeState
from .rules import Rules, video_only
from .scenes import Scene, Take, takes_of
from .standing import BatchPlan, Standing, current, plan_of, standing, there
from .submitting import Options


@dataclass(frozen=True)
class TakeResult:
    """One take of a batch in the end.

    Attributes:
        file: where the video lies; None if there is none.
        submitted: whether this call submitted it; False for one that was there, and one that was resumed.
        error: why there is no video.
    """

    name: str
    file: Path | None
    job_id: str | None
    submitted: bool
    error: Ltx2Error | None = None


def plan_batch(rules: Rules, scenes: Sequence[Scene], out: Path, *, resubmit: bool) -> BatchPlan:
    """What a batch would make, resume and cost; see `Client.plan_batch`."""
    with Manifest(out, rules.address.endpoint) as manifest:
        return plan_of(takes_of(scenes), manifest, resubmit=resubmit)


async def batch(
    driver: AsyncDriver,
    rules: Rules,
    scenes: Sequence[Scene],
    *,
    out: Path,
    at_once: int,
    max_credits: int | None,
    resubmit: bool,
    on: Listener | None,
) -> list[TakeResult]:
    """Make the scenes; see `Client.batch`."""
    if at_once < 1:
        raise InvalidJob("at_once must be 1 or more.")
    takes = takes_of(scenes)
    if any(take.after for take in takes):
        last_frame.require()
    with Manifest(out, rules.address.endpoint) as manifest:
        cost = plan_of(takes, manifest, resubmit=resubmit).credits
        if max_credits is not None and cost > max_credits:
            raise InvalidJob(
                f"What is missing of the batch costs {cost} credits, more than the {max_credits} allowed.",
                code="over_budget",
            )
        work = _Batch(driver, rules, manifest, takes, at_once=at_once, resubmit=resubmit, on=on)
        return await work.run()


def batch_in_thread(rules: Rules, scenes: Sequence[Scene], **options: Any) -> list[TakeResult]:
    """`batch` for callers without an event loop of their own."""

    async def whole() -> list[TakeResult]:
        driver = AsyncDriver()
        try:
            return await batch(driver, rules, scenes, **options)
        finally:
            await driver.close()

    with start_blocking_portal() as portal:
        return portal.call(whole)


class _Batch:
    """One call of `batch`: a task for each take."""

    def __init__(
        self,
        driver: AsyncDriver,
        rules: Rules,
        manifest: Manifest,
        takes: Sequence[Take],
        *,
        at_once: int,
        resubmit: bool,
        on: Listener | None,
    ) -> None:
        self._driver, self._rules, self._manifest, self._takes = driver, rules, manifest, takes
        self._resubmit, self._on = resubmit, on
        self._slots = anyio.Semaphore(at_once)
        self._ended = {take.name: anyio.Event() for take in takes}
        self._results: dict[str, TakeResult] = {}

    async def run(self) -> list[TakeResult]:
        async with anyio.create_task_group() as group:
            for take in self._takes:
                group.start_soon(self._make, take)
        return [self._results[take.name] for take in self._takes]

    async def _make(self, take: Take) -> None:
        try:
            result = await self._outcome(take)
        except OSError as error:
            unreadable = Ltx2Error(f"{take.name}: {error.strerror or error}.")
            result = TakeResult(take.name, None, None, False, unreadable)
        except Ltx2Error as error:
            record = self._manifest.get(take.name)
            result = TakeResult(take.name, None, record.job_id if record else None, False, error)
        self._results[take.name] = result
        if self._on:
            error_text = str(result.error) if result.error else None
            file = str(result.file) if result.file else None
            self._on(TakeEnded(result.job_id, take.name, file, error_text))
        self._ended[take.name].set()

    async def _outcome(self, take: Take) -> TakeResult:
        start = await self._start(take)
        start_sha256 = start.sha256 if start else None
        async with self._slots:
            record = current(self._manifest, take, start_sha256)
            stands = standing(self._manifest, take, start_sha256, resubmit=self._resubmit)
            if record is not None and stands is Standing.THERE:
                return TakeResult(take.name, there(self._manifest, record), record.job_id, False)
            if record is not None and stands is Standing.RESUME:
                return await self._finish(take, record, submitted=False)
            if record is not None and stands is Standing.RETRY and (await self._retried(record)):
                record = record.model_copy(update={"state": TakeState.SUBMITTED, "code": None, "error": None})
                self._manifest.put(take.name, record)
                return await self._finish(take, record, submitted=False)
            if record is not None and stands is Standing.DOUBTFUL:
                raise Ltx2Error(
                    f"{take.name}: it is not known what became of an earlier submit ({record.state}). It is "
                    "made again only when that is asked for, as it may cost a second time.",
                    job_id=record.job_id,
                )
            return await self._finish(take, await self._submit(take, start), submitted=True)

    async def _start(self, take: Take) -> TakeRecord | None:
        """The take whose last frame this one starts from, once it is there."""
        if take.after is None:
            return None
        await self._ended[take.after].wait()
        before = self._manifest.get(take.after)
        if before is None or self._results[take.after].file is None:
            raise Ltx2Error(f"{take.name}: {take.after}, which it starts from, could not be made.")
        return before

    async def _submit(self, take: Take, start: TakeRecord | None) -> TakeRecord:
        """Submit a take, written down before and after."""
        fields = dict(take.fields)
        # What may have been submitted goes out as the very same request, which the worker does not make twice
        # if it can help it; anything else is a request of its own.
        before = current(self._manifest, take, start.sha256 if start else None)
        again = before if before is not None and before.state is not TakeState.FAILED else None
        seed = fields.setdefault("seed", again.seed if again else secrets.randbelow(MAX_SEED + 1))
        request_id = fields.setdefault("request_id", again.request_id if again else uuid4().hex)
        if start is not None and (clip := there(self._manifest, start)) is not None:
            png = await anyio.to_thread.run_sync(last_frame.last_frame, clip)
            fields["image_base64"] = base64.b64encode(png).decode()
        record = TakeRecord(
            digest=take.digest,
            state=TakeState.SUBMITTING,
            seed=seed,
            request_id=request_id,
            start_sha256=start.sha256 if start else None,
            credits=take.credits,
        )
        self._manifest.replace(take.name, record)
        try:
            # A submit that was begun is finished, also when the batch is interrupted: its id is needed.
            with anyio.CancelScope(shield=True):
                job_id = await self._driver.run(self._rules.submit(fields, Options()))
        except SubmitUnknown as error:
            self._manifest.put(take.name, _failed(record, TakeState.UNKNOWN, error))
            raise
        except Ltx2Error as error:
            self._manifest.put(take.name, _failed(record, TakeState.FAILED, error))
            raise
        record = record.model_copy(update={"state": TakeState.SUBMITTED, "job_id": job_id})
        self._manifest.put(take.name, record)
        return record

    async def _retried(self, record: TakeRecord) -> bool:
        """Whether a video that was made, and not delivered, is on its way again."""
        try:
            await self._driver.run(self._rules.retry(record.job_id or ""))
        except (Expired, Refused):
            return False
        return True

    async def _finish(self, take: Take, record: TakeRecord, *, submitted: bool) -> TakeResult:
        """Wait for a submitted take, fetch it, and write it down."""
        job_id = record.job_id or ""
        if self._on:
            self._on(TakeStarted(job_id, take.name, not submitted))
        try:
            result = await self._result(record)
        except JobFailed as error:
            self._manifest.put(take.name, _failed(record, TakeState.FAILED, error, error.code))
            raise
        except Cancelled as error:
            self._manifest.put(take.name, _failed(record, TakeState.FAILED, error, "cancelled"))
            raise
        except Expired as error:
            self._manifest.put(take.name, _failed(record, TakeState.EXPIRED, error))
            raise
        file = self._manifest.folder / f"{take.name}.mp4"
        await self._driver.run(self._rules.download(result, file, False, True, self._on))
        done = {"state": TakeState.DONE, "file": file.name, "bytes": result.bytes, "sha256": result.sha256}
        self._manifest.put(take.name, record.model_copy(update=done))
        return TakeResult(take.name, file, job_id, submitted)

    async def _result(self, record: TakeRecord) -> VideoResult:
        if record.state is TakeState.DONE:
            return await self._driver.run(self._rules.result(record.job_id or ""))
        return video_only(await self._driver.run(self._rules.follow(record.job_id or "", None), self._on))


def _failed(record: TakeRecord, state: TakeState, error: Ltx2Error, code: str | None = None) -> TakeRecord:
    return record.model_copy(update={"state": state, "error": str(error), "code": code})

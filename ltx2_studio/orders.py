"""Taking an order: what is asked for, checked, priced and written, with its credits held."""

import json
from http import HTTPStatus

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

import ltx2_api.errors
from ltx2_api.errors import MAX_FAULTS, ErrorCode, WorkerError
from ltx2_api.job import PRICED, JobInput

from . import finding, generations, ledger
from .contract import Fault, Quote
from .generations import KeyReused, New, Row
from .offered import OURS
from .problems import ProblemError, key_reused
from .settings import Settings


def quote(db: sa.Connection, account: str, given: dict[str, object]) -> Quote:
    """What a job costs; one that is wrong or not complete yet has faults, and no price if it is too wrong."""
    available = ledger.balance(db, account).available
    try:
        job, warnings = _parsed(given)
    except WorkerError as error:
        faults = [Fault(field=fault.field, message=fault.message) for fault in error.faults]
        price = _price_of_what_is_right(given, {fault.field.partition(".")[0] for fault in error.faults})
        enough = price is not None and price <= available
        return Quote(credits=price, available=available, enough=enough, warnings=(), faults=faults)
    price = job.credits
    return Quote(credits=price, available=available, enough=price <= available, warnings=warnings, faults=[])


def take(engine: sa.Engine, new: New, settings: Settings, at: float) -> tuple[Row, bool]:
    """Write an order, or find the one that its key stands for.

    Returns:
        The row, and whether it was there already.

    Raises:
        ProblemError: the job is wrong, there are too few credits, the key is another order's, or there are
            too many under way.
    """
    try:
        job, _ = _parsed(dict(new.input))
    except WorkerError as error:
        faults = [Fault(field=fault.field, message=fault.message) for fault in error.faults]
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, error.code.value, error.message, faults=faults
        ) from None
    priced = New(
        new.account, new.key, new.model, new.input, new.tags, credits=job.credits, retry_of=new.retry_of
    )
    for last in (False, True):
        try:
            with engine.begin() as db:
                return _written(db, priced, job, settings, at)
        except KeyReused:
            raise key_reused() from None
        except ledger.NotEnough as error:
            raise ProblemError(
                HTTPStatus.PAYMENT_REQUIRED,
                "too_few_credits",
                f"{priced.credits} credits are needed, and {error.available} are there.",
                missing=(priced.credits, error.available),
            ) from None
        except IntegrityError:
            # The same key was being written at the same time: now it can be found.
            if last:
                raise
    raise AssertionError("unreachable")


def _written(db: sa.Connection, new: New, job: JobInput, settings: Settings, at: float) -> tuple[Row, bool]:
    row, known = generations.create(db, new, at)
    if known:
        return row, True
    if finding.count_open(db, new.account) > settings.open_generations:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_open",
            f"{settings.open_generations} generations may be under way at a time.",
            retry_after=30,
        )
    if job.preview and finding.previews_since(db, new.account, at - 60) > settings.previews_per_minute:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_previews",
            f"{settings.previews_per_minute} previews may be asked for in a minute.",
            retry_after=60,
        )
    return row, False


def faults(given: dict[str, object]) -> tuple[Fault, ...]:
    """What is wrong with a job wherever it is sent; nothing is taken."""
    try:
        _parsed(given)
    except WorkerError as error:
        return tuple(Fault(field=fault.field, message=fault.message) for fault in error.faults)
    return ()


def _parsed(given: dict[str, object]) -> tuple[JobInput, tuple[str, ...]]:
    if ours := [name for name in OURS if name in given]:
        faults = tuple(
            ltx2_api.errors.Fault(name, f"{name} is filled in by this API: leave it out.") for name in ours
        )
        raise WorkerError(ErrorCode.INVALID_INPUT, faults[0].message, field=faults[0].field, faults=faults)
    _check_text(given)
    return JobInput.parse(given)


def _check_text(given: dict[str, object]) -> None:
    """Refuse what Python reads as JSON and no database takes: NaN, halves of surrogate pairs."""
    faults = []
    for name, value in given.items():
        try:
            json.dumps({name: value}, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            shown = name.encode("ascii", "replace").decode()[:80]
            faults.append(ltx2_api.errors.Fault(shown, f"{shown} is no valid JSON."))
    if faults:
        told = tuple(faults[:MAX_FAULTS])
        raise WorkerError(ErrorCode.INVALID_INPUT, told[0].message, field=told[0].field, faults=told)


def _price_of_what_is_right(given: dict[str, object], wrong: set[str]) -> int | None:
    """The price by the fields that are right: a form shows it before the prompt is written."""
    rest = {key: given[key] for key in PRICED if key in given}
    if wrong & rest.keys():
        return None
    try:
        return JobInput.parse({"prompt": "-"} | rest)[0].credits
    except WorkerError:
        return None

"""Errors as RFC 9457 has them, each with a code of ours."""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from .contract import Fault, Problem


class ProblemError(Exception):
    """Ends a request with a problem.

    Arguments:
        status: of the answer.
        code: for programs.
        detail: one sentence for a person.
        retry_after: seconds, for a header.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        missing: tuple[int, int] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        credits, available = missing or (None, None)  # noqa: A001 - the contract's word
        self.problem = Problem(
            title=status.phrase,
            status=status,
            code=code,
            detail=detail,
            faults=list(faults),
            credits=credits,
            available=available,
            missing=credits - available if credits is not None and available is not None else None,
        )
        self.retry_after = retry_after


def not_found(what: str = "generation") -> ProblemError:
    """There is no such thing, or it is somebody else's: nobody can tell which."""
    return ProblemError(HTTPStatus.NOT_FOUND, "not_found", f"There is no such {what}.")


def no_uploads() -> ProblemError:
    """There is no bucket here."""
    return ProblemError(
        HTTPStatus.NOT_FOUND, "no_uploads", "Files cannot be uploaded here: send them as URLs."
    )


def key_reused() -> ProblemError:
    """The key stands for something else."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "key_reused",
        "This Idempotency-Key was used for another order; use a new one.",
    )


async def answer(_request: Request, error: Exception) -> JSONResponse:
    """A ProblemError as an answer."""
    assert isinstance(error, ProblemError)
    return as_response(error)


def as_response(error: ProblemError) -> JSONResponse:
    """What a ProblemError says, as RFC 9457 has it."""
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
    return _json(error.problem, headers)


async def answer_invalid(_request: Request, error: Exception) -> JSONResponse:
    """What FastAPI finds wrong with a request, as a problem; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(field=".".join(str(part) for part in detail["loc"][1:]) or "body", message=str(detail["msg"]))
        for detail in error.errors()
    ]
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _json(
        Problem(
            title=status.phrase,
            status=status,
            code="invalid_request",
            detail=" ".join(f"{fault.field}: {fault.message}." for fault in faults[:3]),
            faults=faults,
        )
    )


#: Codes of what Starlette answers; the names of the statuses differ between versions of Python.
_CODES = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
}


async def answer_http(_request: Request, error: Exception) -> JSONResponse:
    """What Starlette says of an address, a method or a size, as a problem."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = _CODES.get(status, "refused")
    detail = error.detail if error.detail != status.phrase else f"{status.phrase}."
    problem = Problem(title=status.phrase, status=status, code=code, detail=detail)
    return _json(problem, dict(error.headers) if error.headers else None)


async def answer_fault(_request: Request, _error: Exception) -> JSONResponse:
    """A fault of this API's: it is in the log, and not in the answer."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _json(
        Problem(
            title=status.phrase, status=status, code="internal", detail="Something broke here: try again."
        )
    )


def _json(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    content = problem.model_dump(exclude_none=True, exclude_defaults=False)
    return JSONResponse(content, problem.status, headers, media_type="application/problem+json")

"""`/api/account`: credits, and where they went."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from .. import contract, ledger, views
from .common import Account, backend_of, cursor, reading

router = APIRouter(prefix="/api/account", tags=["account"])


@router.get("")
def account(request: Request, account: Account) -> contract.Account:
    """The caller's credits."""
    found = reading(backend_of(request), lambda db: ledger.balance(db, account))
    return contract.Account(available=found.available, held=found.held)


@router.get("/ledger")
def entries(
    request: Request,
    account: Account,
    cursor_: Annotated[str | None, Query(alias="cursor")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> contract.LedgerPage:
    """The caller's ledger, the newest lines first."""
    before = cursor(cursor_)
    found = reading(backend_of(request), lambda db: ledger.entries(db, account, before, limit + 1))
    items = [
        contract.LedgerEntry(
            id=entry.id,
            kind=entry.kind,
            amount=entry.amount,
            generation=entry.generation,
            at=views.moment(entry.at),
        )
        for entry in found[:limit]
    ]
    return contract.LedgerPage(items=items, next=str(items[-1].id) if len(found) > limit else None)

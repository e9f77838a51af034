"""For who runs it: is it alive, can it work, what does it do."""

from http import HTTPStatus

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ..contract import State
from ..tables import generations, ledger
from .common import backend_of, reading

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def ready(request: Request, response: Response) -> dict[str, str]:
    """The database answers too."""
    try:
        reading(backend_of(request), lambda db: db.execute(sa.select(1)))
    except sa.exc.SQLAlchemyError:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return {"status": "the database does not answer"}
    return {"status": "ok"}


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Generations by state, the oldest that is under way, credits by kind (Prometheus)."""
    backend, registry = backend_of(request), CollectorRegistry()
    Gauge("studio_streams", "Event streams that are open", registry=registry).set(backend.changes.listeners)
    by_state = Gauge("studio_generations", "Generations by state", ["state"], registry=registry)
    credits_by_kind = Gauge("studio_credits", "Credits by kind of entry", ["kind"], registry=registry)
    oldest = Gauge("studio_oldest_open_seconds", "Age of the oldest under way", registry=registry)
    opened = [State.HELD, State.SUBMITTING, State.QUEUED, State.RUNNING]

    def read(db: sa.Connection) -> None:
        counted = dict.fromkeys(State, 0) | {
            State(state): count
            for state, count in db.execute(
                sa.select(generations.c.state, sa.func.count()).group_by(generations.c.state)
            )
        }
        for state, count in counted.items():
            by_state.labels(state).set(count)
        for kind, amount in db.execute(
            sa.select(ledger.c.kind, sa.func.sum(ledger.c.amount)).group_by(ledger.c.kind)
        ):
            credits_by_kind.labels(kind).set(amount)
        since = db.scalar(
            sa.select(sa.func.min(generations.c.created_at)).where(
                generations.c.state.in_([str(state) for state in opened])
            )
        )
        oldest.set(backend.clock() - since if since is not None else 0)

    reading(backend, read)
    written = generate_latest(backend.metrics) + generate_latest(registry)
    return Response(written, media_type="text/plain; version=0.0.4")

"""RunPod's webhooks: hints that a job has ended."""

from http import HTTPStatus

from fastapi import APIRouter, BackgroundTasks, Request, Response

from ltx2_client import webhook
from ltx2_client.errors import BadReply

from ..problems import not_found
from .common import backend_of

router = APIRouter(prefix="/api/generations/hooks", include_in_schema=False)


@router.post("/runpod/{generation}/{token}")
async def runpod(request: Request, tasks: BackgroundTasks, generation: str, token: str) -> Response:
    """Take a hint; RunPod's own answer is asked for after this one is sent, and decides."""
    backend = backend_of(request)
    if not webhook.check(backend.settings.secret.get_secret_value(), generation, token):
        raise not_found()
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > webhook.MOST_BODY_BYTES:
            return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        job_id = webhook.parse(bytes(body)).job_id
    except BadReply:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    tasks.add_task(backend.dispatcher.heard, generation, job_id)
    return Response(status_code=HTTPStatus.OK)

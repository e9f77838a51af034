"""`python -m local.studio`: the whole studio on this machine, from the page down to the engine.

RunPod's API with the real worker behind it, a bucket, the backend and the page. `python3 -m local studio`
sets everything up and starts this with the worker's settings in the environment.
"""

import argparse
import asyncio
import logging
import os
import secrets
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from pydantic import SecretStr, ValidationError

from local.bucket import LocalBucket, local_bucket
from local.places import LOGS, shown
from local.progress import Progress
from local.runpod.ending import signals, until_the_end
from local.runpod.job import Job
from local.runpod.platform import HOST_NAME, WORKER_KEY, Options, Platform
from local.runpod.server import listening
from local.runpod.worker_api import environment
from local.runpod.worker_process import WorkerProcess
from ltx2_client import AsyncClient
from ltx2_studio import ledger
from ltx2_studio.app import create_app
from ltx2_studio.backend import Backend
from ltx2_studio.bucket_links import BucketLinks
from ltx2_studio.database import connect
from ltx2_studio.ports import EndpointQueue, TokenAuth
from ltx2_studio.settings import Settings

HOST = "127.0.0.1"
ENDPOINT = "ltx2"
ACCOUNT = "you"
_GRACE = 30.0
_OFFER = "STUDIO_OFFER"
_HOLD_SECONDS = 10.0
#: The page shows the emerging picture; what it costs here cannot be measured.
_PREVIEWS = "LTX2_LIVE_PREVIEWS"
_QUIET = {"RUNPOD_PING_INTERVAL": "10000", "RUNPOD_DEBUG_LEVEL": "INFO"}


def main() -> int:
    """Serve until SIGINT or SIGTERM; 0 after an orderly end, 1 if the worker ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m local.studio", description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8080, help=f"of the page, on {HOST}; 0 takes a free one")
    parser.add_argument("--credits", type=int, default=1000, help="on your account")
    parser.add_argument("--logs", type=Path, default=LOGS, help="folder for what worker and backend write")
    options = parser.parse_args()
    # The terminal says only what a person wants to know.
    options.logs.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=options.logs / "studio.log", filemode="w", level=logging.INFO)
    try:
        with local_bucket() as bucket, tempfile.TemporaryDirectory(prefix="studio-") as folder:
            return asyncio.run(_serve(options, bucket, Path(folder)))
    except OSError as error:
        print(f"{error.filename or options.port}: {error.strerror or error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        (fault, *_) = error.errors()
        print(f"The studio does not start. {fault['loc'][0]}: {fault['msg']}.", file=sys.stderr)
        return 1


async def _serve(options: argparse.Namespace, bucket: LocalBucket, folder: Path) -> int:
    heard = signals()
    platform_options = Options(endpoint_id=ENDPOINT, hold=_HOLD_SECONDS, remember=0, worker_key=None)
    async with (
        Platform(platform_options) as platform,
        listening(platform, HOST, 0) as runpod_port,
        _page(options, f"http://{HOST}:{runpod_port}/v2", bucket, folder) as address,
    ):
        worker_id = f"worker-{uuid.uuid4().hex[:8]}"
        platform.workers.register(worker_id)
        url = f"http://{HOST}:{runpod_port}/v2/{ENDPOINT}"
        variables = environment(url, worker_id, WORKER_KEY, HOST_NAME) | _QUIET | bucket.environment
        variables |= {_PREVIEWS: os.environ.get(_PREVIEWS) or "true"}
        log = options.logs / "worker.log"
        worker = await WorkerProcess.start(variables, log, _grace())
        progress = Progress()
        platform.on_status.append(lambda job: progress.say(_line(job)))
        print(f"The studio is at {address}")
        logs = f"{shown(log)}, {shown(options.logs / 'studio.log')}"
        print(f"Videos are kept in memory, and end with Ctrl-C as everything does. Logs: {logs}")
        sys.stdout.flush()
        status = await until_the_end(worker, heard, platform)
    print("The studio has ended, and everything that it started with it.", flush=True)
    return status


@asynccontextmanager
async def _page(
    options: argparse.Namespace, runpod_url: str, bucket: LocalBucket, folder: Path
) -> AsyncIterator[str]:
    """Serve backend and page; yields the address to open, with the token that only this browser sees."""
    server = _Server(
        uvicorn.Config("unused", HOST, options.port, log_config=None, timeout_graceful_shutdown=2)
    )
    socket = server.config.bind_socket()
    url = f"http://{HOST}:{socket.getsockname()[1]}"
    settings = Settings(
        database=f"sqlite:///{folder / 'studio.db'}",
        secret=SecretStr(secrets.token_urlsafe(32)),
        public_url=url,
        previews_per_minute=60,
        # The worker behind it is this one's: the page shows what it offers.
        offer=os.environ.get(_OFFER) or os.environ.get("LTX2_OFFER") or (),
    )
    engine = connect(settings.database)
    token = secrets.token_urlsafe(24)
    with engine.begin() as db:
        ledger.grant(db, ACCOUNT, options.credits, time.time())
    auth = TokenAuth(engine)
    auth.add(token, ACCOUNT)
    client = AsyncClient(ENDPOINT, "local", url=runpod_url, journal=None)
    queue = EndpointQueue(client, settings.job_ttl)
    server.config.app = create_app(Backend(settings, engine, auth, queue, BucketLinks(bucket.for_callers)))
    serving = asyncio.create_task(server.serve([socket]))
    try:
        yield f"{url}/#token={token}"
    finally:
        server.should_exit = True
        await serving
        await client.close()
        engine.dispose()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: what ends first is the worker, and then this."""
        yield


def _grace() -> float:
    try:
        return float(os.environ.get("LTX2_SHUTDOWN_GRACE") or _GRACE)
    except ValueError:
        return _GRACE  # the worker refuses it, with a sentence


def _line(job: Job) -> str:
    took = f" after {job.ended - job.started:.1f} s" if job.ended and job.started else ""
    return f"{job.id} {job.status}{took}"


if __name__ == "__main__":
    sys.exit(main())

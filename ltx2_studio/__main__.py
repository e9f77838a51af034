"""`python -m ltx2_studio`: serves the API; `… account NAME` makes an account and prints its token."""

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

import uvicorn
from pydantic import ValidationError

from ltx2_client import AsyncClient, Bucket, NotConfigured

from . import ledger, logs
from .app import create_app
from .backend import Backend
from .bucket_links import BucketLinks
from .database import connect
from .ports import EndpointQueue, ReplyLinks, TokenAuth
from .settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(f"STUDIO_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        sys.stderr.write(f"The settings are wrong: {wrong}.\n")
        return 1
    return int(options.command(options, settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ltx2_studio", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve the API", allow_abbrev=False)
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8080)
    serve.set_defaults(command=_serve)
    account = commands.add_parser("account", help="make an account, or give it credits", allow_abbrev=False)
    account.add_argument("name")
    account.add_argument("--credits", type=int, default=0, help="to grant")
    account.set_defaults(command=_account)
    return parser


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    logs.set_up(settings.log_level.upper())
    try:
        client = AsyncClient(journal=None)
    except NotConfigured as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    engine = connect(settings.database)
    backend = Backend(
        settings,
        engine,
        TokenAuth(engine),
        EndpointQueue(client, settings.job_ttl),
        BucketLinks(bucket) if (bucket := Bucket.from_environment()) else ReplyLinks(),
    )
    uvicorn.run(create_app(backend), host=options.host, port=options.port, log_config=None, access_log=False)
    return 0


def _account(options: argparse.Namespace, settings: Settings) -> int:
    if options.credits < 0:
        sys.stderr.write("--credits is 0 or more.\n")
        return 2
    engine, token = connect(settings.database), secrets.token_urlsafe(32)
    with engine.begin() as db:
        ledger.grant(db, options.name, options.credits, time.time())
    TokenAuth(engine).add(token, options.name)
    sys.stdout.write(f"{token}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

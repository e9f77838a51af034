"""Does jobs by the worker of the folder it is started in: a JSON list of inputs in, a reply a line out."""

import json
import sys

from pydantic import BaseModel

from ltx2_api.errors import WorkerError
from ltx2_api.reply import FailureResult
from ltx2_worker.settings import Settings
from ltx2_worker.worker import Worker


def main() -> None:
    worker = Worker(Settings())
    worker.start()
    try:
        for number, raw in enumerate(json.load(sys.stdin)):
            turn = worker.take_ticket()
            reply: BaseModel
            try:
                reply = worker.run(worker.accept(f"job-{number}", raw, turn))
            except WorkerError as error:
                turn.release()
                reply = FailureResult.of(error, f"job-{number}")
            print(reply.model_dump_json(), flush=True)
    finally:
        worker.stop()


if __name__ == "__main__":
    main()

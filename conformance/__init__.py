"""Holds any implementation of `/api/generations` against its contract, over HTTP alone.

    BASE_URL=https://staging.example TOKEN=… OTHER_TOKEN=… python -m pytest conformance

It needs `conformance/requirements.txt` and `schema/studio.json`, and imports nothing else of this repository.
Point the implementation under test at an emulated endpoint (`python3 -m local serve`): a real one costs
money.

    BASE_URL      of the API: /api/generations is below it
    TOKEN         of an account with credits for three of the dearest videos, or somewhat more; the suite
                  makes 30 previews and 200 requests in a few seconds: raise the limits that these reach
    OTHER_TOKEN   of another account
    WORKER        1 where jobs are really made: then videos are waited for (WORKER_SECONDS, 120)
    UPLOADS       1 where files can be uploaded
    FILMS         1 where films are rendered; needs WORKER
    SECRETS       texts that must be in no answer, separated by commas: the endpoint's id, its key
"""

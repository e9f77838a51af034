"""RunPod on your own machine: its public API in front of the queue protocol that its SDK speaks.

    with Emulator() as runpod:                              # listens on a free port
        runpod.play(lambda job: Script(seconds=30, output={"url": "https://..."}, progress=sampling(30)))
        requests.post(f"{runpod.url}/run", json={"input": {...}})

A real worker: start its process with `runpod.environment()` among its variables, instead of `play`.

Another time: `Emulator(clock=FakeClock())` and `runpod.advance(30)`; 24 hours pass in a moment. Time-outs,
time to live, retention, rates, the pauses of webhooks and scripted workers follow it. So does the delay of a
fault: advance the clock from another thread than the one that waits for the answer.
Without sockets: `runpod.request("POST", "/run", {"input": {...}})`. On an event loop of your own:
`async with Platform(options, clock) as platform: await platform.serve(Call(...))`.

Faults: `runpod.inject(Route.RUN, LOST_REPLY)`; also `refused(500)`, `refused(429, Retry_After="3")`,
`slow(2)` and `unanswered(5)`. With Route.WEBHOOK they meet its tries. `runpod.choose_faults(...)` is asked
about every request, for random faults; `runpod.forget(job)` lets RunPod lose a job.
What happened: `runpod.jobs`, `job.posts`, `job.webhooks`, `len(runpod.seen(Route.RUN))`.
"""

from local.runpod.clock import Clock, FakeClock
from local.runpod.emulator import Emulator
from local.runpod.faults import LOST_REPLY, Fault, Request, Route, refused, slow, unanswered
from local.runpod.job import Job, Policy, Post, Status, Submission
from local.runpod.message import Call, HangUp, Reply
from local.runpod.platform import HOST_NAME, WORKER_ID, Options, Platform
from local.runpod.rates import RATES, Rate
from local.runpod.scripted import Script, ScriptedWorker, sampling

__all__ = [
    "HOST_NAME",
    "LOST_REPLY",
    "RATES",
    "WORKER_ID",
    "Call",
    "Clock",
    "Emulator",
    "FakeClock",
    "Fault",
    "HangUp",
    "Job",
    "Options",
    "Platform",
    "Policy",
    "Post",
    "Rate",
    "Reply",
    "Request",
    "Route",
    "Script",
    "ScriptedWorker",
    "Status",
    "Submission",
    "refused",
    "sampling",
    "slow",
    "unanswered",
]

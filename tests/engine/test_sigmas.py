"""The noise levels that the samplers go through, computed by the engine's own nodes for every kind of job."""

import itertools
import json
import subprocess
from pathlib import Path

import pytest

from ltx2_api.job import JobInput
from ltx2_worker.engine import EngineOptions
from ltx2_worker.plan import make_plan
from ltx2_worker.workflow import Output, build

pytestmark = pytest.mark.engine

SCRIPT = Path(__file__).with_name("sigmas.py")

#: What a job may ask for that has ever changed a list of sigmas: size and length too, in other graphs.
SIZES: tuple[dict[str, object], ...] = (
    {"preview": True},
    {"resolution": "720p", "duration": 10},
    {"resolution": "720p", "duration": 20},
    {"resolution": "1080p", "duration": 10},
    {"resolution": "1080p", "duration": 20},
)
STEPS: tuple[dict[str, object], ...] = (
    {"quality": "fast"},
    *({"quality": "pro", "steps": steps} for steps in range(20, 41)),
)
STAGES: tuple[dict[str, object], ...] = (
    {},
    {"spatial_upscaler": False},
    {"spatial_upscaler": False, "temporal_upscaler": True},
    {"detailer": True, "temporal_upscaler": True},
)


def test_every_list_of_sigmas_falls_from_one_to_zero_in_the_steps_asked_for(
    engine_options: EngineOptions,
) -> None:
    wanted: dict[str, int] = {}
    for size, steps, stages in itertools.product(SIZES, STEPS, STAGES):
        plan = make_plan(
            JobInput.parse({"prompt": "a cat", "seed": 1} | size | steps | stages)[0],
            installed=lambda _: True,
        )
        for node in build(plan, {}, Output(18.0)).prompt.values():
            if node["class_type"] in ("LTXVScheduler", "ManualSigmas"):
                first = node["_meta"]["title"] == "Stage 1 sigmas"
                second = node["_meta"]["title"] == "Stage 2 sigmas"
                steps_of = plan.steps if first else 4 if second and plan.temporal_upscaler else 3
                wanted[json.dumps([node["class_type"], node["inputs"]])] = steps_of
    assert len(wanted) == 22 + 2

    answer = subprocess.run(
        [engine_options.python, SCRIPT, engine_options.comfyui_dir],
        input=f"[{','.join(wanted)}]",
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    for (asked, steps_of), sigmas in zip(wanted.items(), json.loads(answer.stdout), strict=True):
        assert len(sigmas) == steps_of + 1, asked
        assert sigmas[0] == pytest.approx({3: 0.909375, 4: 0.975}.get(steps_of, 1.0)), asked
        assert all(after < before for before, after in itertools.pairwise(sigmas)), asked  # false for NaN too
        assert sigmas[-1] == 0.0, asked

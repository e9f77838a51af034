"""How long a job takes from its JSON to the graph for the engine."""

import json
import time

from bench.lab import ROOT
from bench.table import Row, spread
from ltx2_api.job import JobInput
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.plan import Plan, by_recipe, make_plan
from ltx2_worker.workflow.build import Output, build, stand_ins

ROUNDS = 50


def rows() -> list[Row]:
    """Measure every example, again and again."""
    jobs = [
        json.loads(path.read_text(encoding="utf-8"))["input"] for path in (ROOT / "examples").glob("*.json")
    ]
    for job in jobs:
        _graph(job)
    taken = []
    for _ in range(ROUNDS):
        for job in jobs:
            begun = time.perf_counter()
            _graph(job)
            taken.append(time.perf_counter() - begun)
    return [Row("job to graph: check, plan, build", spread(taken, "ms", scale=1000, digits=2), "under 2 ms")]


def _graph(raw: object) -> None:
    job, _ = JobInput.parse(raw)
    plan = make_plan(job, installed=lambda _: True, default_camera="static")
    build(plan, stand_ins(plan), Output(18.0, "address"), resident=in_other_recipes(plan))


def in_other_recipes(plan: Plan) -> list[Plan]:
    """The same job by all other recipes of its family, as if all were installed."""
    others = (
        recipe for recipe in catalogue().recipes if recipe.family is plan.family and recipe is not plan.recipe
    )
    return [by_recipe(plan, recipe, lambda _: True) for recipe in others]

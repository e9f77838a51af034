"""Compares the engine's graphs with Lightricks' own code. Run by the engine's Python.

Usage: python -m tests.reference.compare COMFYUI_DIR WORK_DIR TINY_DIR < prompts > comparisons

`prompts` are graphs in ComfyUI's API format by family and name, as the modules compare_*.py want them; both
sides of the pipe are JSON. Everything is computed in 32 bits on the CPU, from the same small weights, noise
and contexts. TINY_DIR has the project's tiny weights.
"""

import json
import sys
from pathlib import Path
from typing import Any

TINY_CHECKPOINTS = {
    "ltx-2": Path("checkpoints", "ltx-2-19b-distilled-fp8.safetensors"),
    "ltx-2.3": Path("checkpoints", "ltx-2.3-22b-dev-fp8.safetensors"),
}
#: Of the tiny weights, the upscalers that a family has.
TINY_UPSCALERS = {
    "ltx-2": {"spatial": "spatial-upscaler-x2-1.0", "temporal": "temporal-upscaler-x2-1.0"},
    "ltx-2.3": {"spatial": "spatial-upscaler-x2-1.1", "temporal": "temporal-upscaler-x2-1.0"},
}
#: The job on weights of thirty blocks, where the graph's own block of guidance is compared with Lightricks'.
DEEP_JOB = "pro:own block"


def _import_comfyui(folder: str) -> None:
    sys.path.insert(0, folder)
    sys.argv = [sys.argv[0], "--cpu", "--use-pytorch-cross-attention", "--force-fp32", "--fp32-vae"]
    import comfy.options

    comfy.options.enable_args_parsing()


def main(comfyui: str, work: str, tiny: str) -> None:
    """Compare what is asked for, and write what was found."""
    prompts = json.load(sys.stdin)
    answer = sys.stdout
    sys.stdout = sys.stderr  # what ComfyUI and progress bars have to say
    _import_comfyui(comfyui)
    import torch

    # Two threads on operations so small wait for each other, ten times as long beside any other process.
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    found = {
        family: _compared(Path(work, family), Path(tiny), family, jobs) for family, jobs in prompts.items()
    }
    json.dump(found, answer)


def _compared(models: Path, tiny: Path, family: str, jobs: dict[str, Any]) -> dict[str, Any]:
    """Compare a family's models and jobs."""
    from ltx_pipelines.utils import constants

    from tests.reference import compare_jobs, compare_sources, compare_spans, compare_ways, weights
    from tests.reference.compare_models import ModelCases
    from tests.reference.graph_runner import GraphRunner
    from tests.reference.job_sides import Sides
    from tests.reference.lightricks import Lightricks
    from tests.reference.record import Record

    transformer = weights.write(models, family).checkpoint["transformer"]
    # The folder that was named last is looked into first: the families' files have the same names.
    graph, record = GraphRunner(tiny, models), Record()
    theirs = Lightricks(models, weights.CHECKPOINT, weights.UPSCALERS)
    upscalers = {which: path.name for which, path in weights.UPSCALERS.items()}
    ModelCases(models / weights.CHECKPOINT, upscalers, graph, theirs, record).run()

    upscalers = {which: f"{family}-{name}.safetensors" for which, name in TINY_UPSCALERS[family].items()}
    paths = {which: Path("latent_upscale_models", name) for which, name in upscalers.items()}
    own = Lightricks(tiny, TINY_CHECKPOINTS[family], paths)
    checkpoint = tiny / TINY_CHECKPOINTS[family]
    ModelCases(checkpoint, upscalers, graph, own, record, label="tiny weights, ").run_on_tiny()

    widths = weights.text_widths(transformer)
    compare_spans.compare_spans(record)
    compared = {**compare_jobs.COMPARED, **compare_ways.COMPARED, **compare_sources.COMPARED}
    sides = Sides(graph, theirs, record, weights.CHECKPOINT.name, family=family, widths=widths, stg_block=1)
    for name, prompt in jobs.items():
        if name != DEEP_JOB:
            compared[name.split(":")[0]](sides, name.replace(":", " "), prompt)
    deeper = Lightricks(models, weights.DEEP, weights.UPSCALERS)
    params = {"ltx-2": constants.LTX_2_PARAMS, "ltx-2.3": constants.LTX_2_3_PARAMS}[family]
    (block,) = params.video_guider_params.stg_blocks
    deep = Sides(
        graph,
        deeper,
        record,
        weights.DEEP.name,
        family=family,
        widths=widths,
        stg_block=block,
        is_graph_s=True,
    )
    compare_jobs.pro(deep, DEEP_JOB.replace(":", " "), jobs[DEEP_JOB])
    return record.as_data()


if __name__ == "__main__":
    main(*sys.argv[1:4])

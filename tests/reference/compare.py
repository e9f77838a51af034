"""Compares the engine's graphs with Lightricks' own code. Run by the engine's Python.

Usage: python -m tests.reference.compare COMFYUI_DIR WORK_DIR TINY_DIR < prompts > comparisons

`prompts` are graphs in ComfyUI's API format by name, as compare_jobs.py wants them; both sides of the pipe
are JSON. Everything is computed in 32 bits on the CPU, from the same small weights, noise and contexts.
TINY_DIR has the project's tiny weights.
"""

import json
import sys
from pathlib import Path

TINY_CHECKPOINT = Path("checkpoints", "ltx-2-19b-distilled-fp8.safetensors")
TINY_UPSCALERS = {
    which: Path("latent_upscale_models", f"ltx-2-{which}-upscaler-x2-1.0.safetensors")
    for which in ("spatial", "temporal")
}
#: Jobs on weights of thirty blocks, by the graph's own block of guidance.
DEEP_JOBS = {"pro:block 29"}


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
    from tests.reference import weights
    from tests.reference.compare_jobs import JobCases
    from tests.reference.compare_models import ModelCases
    from tests.reference.graph_runner import GraphRunner
    from tests.reference.lightricks import Lightricks
    from tests.reference.record import Record

    models = Path(work)
    weights.write(models)
    graph, record = GraphRunner(models, Path(tiny)), Record()
    theirs = Lightricks(models, weights.CHECKPOINT, weights.UPSCALERS)
    upscalers = {which: path.name for which, path in weights.UPSCALERS.items()}
    ModelCases(models / weights.CHECKPOINT, upscalers, graph, theirs, record).run()
    own = Lightricks(Path(tiny), TINY_CHECKPOINT, TINY_UPSCALERS)
    upscalers = {which: path.name for which, path in TINY_UPSCALERS.items()}
    ModelCases(
        Path(tiny, TINY_CHECKPOINT), upscalers, graph, own, record, label="tiny weights, "
    ).run_on_tiny()
    deep = {name: prompts.pop(name) for name in list(prompts) if name in DEEP_JOBS}
    JobCases(graph, theirs, record, weights.CHECKPOINT.name, stg_block=1).run(prompts)
    deeper = Lightricks(models, weights.DEEP, weights.UPSCALERS)
    JobCases(graph, deeper, record, weights.DEEP.name).run(deep)
    json.dump(record.as_data(), answer)


if __name__ == "__main__":
    main(*sys.argv[1:4])

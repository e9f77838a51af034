"""Compares the engine's graphs with Lightricks' own code. Run by the engine's Python.

Usage: python -m tests.reference.compare COMFYUI_DIR WORK_DIR FAMILY < prompts > comparisons

`prompts` are graphs in ComfyUI's API format by name, as compare_jobs.py wants them; both sides of the pipe
are JSON. Everything is computed in 32 bits on the CPU, from the same small weights, noise and contexts.
"""

import json
import sys
from pathlib import Path


def _import_comfyui(folder: str) -> None:
    sys.path.insert(0, folder)
    sys.argv = [sys.argv[0], "--cpu", "--use-pytorch-cross-attention", "--force-fp32", "--fp32-vae"]
    import comfy.options

    comfy.options.enable_args_parsing()


def main(comfyui: str, work: str, family: str) -> None:
    """Compare what is asked for, and write what was found."""
    prompts = json.load(sys.stdin)
    answer = sys.stdout
    sys.stdout = sys.stderr  # what ComfyUI and progress bars have to say
    _import_comfyui(comfyui)
    import torch

    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    from tests.reference import weights
    from tests.reference.compare_jobs import JobCases
    from tests.reference.compare_models import ModelCases
    from tests.reference.graph_runner import GraphRunner
    from tests.reference.lightricks import Lightricks
    from tests.reference.record import Record

    models = Path(work)
    config = weights.write(models, family)
    graph, record = GraphRunner(models), Record()
    theirs = Lightricks(models, weights.CHECKPOINT, weights.UPSCALERS)
    widths = weights.text_widths(config.checkpoint["transformer"])
    ModelCases(models, graph, theirs, record, widths).run()
    JobCases(graph, theirs, record, widths).run(prompts)
    json.dump(record.as_data(), answer)


if __name__ == "__main__":
    main(*sys.argv[1:4])

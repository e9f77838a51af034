"""Which loaders run again when fast and pro take turns."""

from bench.clock import PromptTimes
from bench.lab import PREVIEW, running_worker
from bench.table import Row
from ltx2_api.names import Quality
from ltx2_worker.catalog.catalogue import catalogue

TURNS: tuple[Quality, ...] = ("fast", "pro", "fast", "pro", "fast", "pro")
#: The nodes of a preview that read weights.
LOADERS = {
    "CheckpointLoaderSimple",
    "LTXAVTextEncoderLoader",
    "LTXVAudioVAELoader",
    "LatentUpscaleModelLoader",
    "LoraLoaderModelOnly",
}
#: So many jobs load each recipe's weights for the first time.
FIRST = 2


def rows() -> list[Row]:
    """Measure with both recipes kept in memory, and without."""
    return [
        Row("loaders run again on a switch, both kept", _again("true"), "none"),
        Row("loaders run again on a switch, LTX2_KEEP_MODELS_LOADED=false", _again("false")),
    ]


def _again(keep: str) -> str:
    with running_worker(LTX2_KEEP_MODELS_LOADED=keep) as lab:
        jobs = [lab.run(PREVIEW | {"quality": quality, "seed": n}) for n, quality in enumerate(TURNS)]
    again: list[str] = []
    for quality, job in list(zip(TURNS, jobs, strict=True))[FIRST:]:
        again += _loaders(quality, job.prompt)
    if not again:
        return "none"
    each = len(again) / (len(TURNS) - FIRST)
    return f"{each:g} per switch: {', '.join(sorted(set(again)))}"


def _loaders(quality: Quality, prompt: PromptTimes) -> list[str]:
    """Titles of the nodes that read weights and ran."""
    recipe = catalogue().recipe(catalogue().families[0].name, quality)
    assert recipe is not None
    nodes = recipe.graph
    ran = [nodes[node_id] for node_id, _ in prompt.nodes]
    return [node["_meta"]["title"] for node in ran if node["class_type"] in LOADERS]

"""Loaders that a graph names without using them, so that the engine keeps what they have loaded.

ComfyUI's classic cache (`--cache-classic`) keeps the results of the nodes in the last prompt and drops all
others. It looks at a node's class and inputs, not at its id; and a node that no saving node needs never runs.
"""

from collections.abc import Mapping

from .graph import NodeKinds, Prompt, as_link

#: Kinds of output that are weights read from a file.
MODEL_KINDS = frozenset({"MODEL", "CLIP", "VAE", "LATENT_UPSCALE_MODEL", "DA3_MODEL"})


def unconnected_loaders(prompt: Prompt, kinds: Mapping[str, NodeKinds], label: str) -> Prompt:
    """Return the nodes of a prompt that read weights, under ids that no workflow file has.

    Arguments:
        prompt: the graph of the recipe whose loaders are kept, not the graph that they are added to.
        kinds: kinds of its node classes.
        label: of the recipe that the prompt is by; part of the ids.
    """
    loaders = {
        key: node
        for key, node in prompt.items()
        if not MODEL_KINDS.isdisjoint(kinds[node["class_type"]].outputs)
    }
    return {
        f"resident-{label}-{key}": {
            **node,
            "inputs": {
                name: [f"resident-{label}-{link[0]}", link[1]] if (link := as_link(value)) else value
                for name, value in node["inputs"].items()
            },
        }
        for key, node in loaders.items()
    }

"""The engine's side: the nodes of a graph, run one by one in this process, with some outputs handed in."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import comfy.nested_tensor
import folder_paths
import nodes
import torch
from comfy_extras import (
    nodes_custom_sampler,
    nodes_hunyuan,
    nodes_images,
    nodes_lt,
    nodes_lt_audio,
    nodes_lt_upsampler,
)

from ltx2_worker import engine_nodes

Prompt = Mapping[str, dict[str, Any]]
MODULES = (nodes_custom_sampler, nodes_hunyuan, nodes_images, nodes_lt, nodes_lt_audio, nodes_lt_upsampler)


def _classes() -> dict[str, Any]:
    found = dict(nodes.NODE_CLASS_MAPPINGS) | engine_nodes.NODE_CLASS_MAPPINGS
    for module in MODULES:
        for node in vars(module).values():
            if (
                inspect.isclass(node)
                and node.__module__ == module.__name__
                and hasattr(node, "define_schema")
            ):
                found[node.define_schema().node_id] = node
    return found


class GivenNoise:
    """ComfyUI's noise, handed in instead of drawn: of the picture, then of the sound.

    Frames that the latent has beyond it are guides; they get `guides` in their order, where they are noised.
    """

    def __init__(self, *noises: torch.Tensor, guides: torch.Tensor | None = None) -> None:
        self.seed = 0
        self._noises = noises
        self._guides = guides

    def generate_noise(self, latent: dict[str, Any]) -> Any:
        samples = latent["samples"]
        parts = samples.unbind() if samples.is_nested else [samples]
        fitted = [self._fitted(noise, part) for noise, part in zip(self._noises, parts, strict=True)]
        return comfy.nested_tensor.NestedTensor(fitted) if samples.is_nested else fitted[0]

    def _fitted(self, noise: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        extra = part.shape[2] - noise.shape[2]
        if extra <= 0:
            return noise
        guides = torch.zeros_like(part[:, :, -extra:]) if self._guides is None else self._guides
        return torch.cat([noise, guides], dim=2)


class GraphRunner:
    """Runs nodes of graphs on models of some folders.

    Arguments:
        models: folders of ComfyUI's layout.
    """

    def __init__(self, *models: Path) -> None:
        for name in ("checkpoints", "latent_upscale_models", "loras"):
            for folder in models:
                folder_paths.add_model_folder_path(name, str(folder / name), is_default=True)
        self._classes = _classes()

    def call(self, node: str, /, **inputs: Any) -> Any:
        """Run one node by its class; its outputs."""
        cls: Any = self._classes[node]
        result = cls.execute(**inputs) if hasattr(cls, "execute") else getattr(cls(), cls.FUNCTION)(**inputs)
        return result if isinstance(result, tuple) else tuple(result.args)

    def run(
        self,
        prompt: Prompt,
        wanted: str,
        given: Mapping[str, Any],
        changed: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Run what a node needs, and the node.

        Arguments:
            prompt: a graph in ComfyUI's API format.
            wanted: title of the node.
            given: outputs of nodes that are not run, by title.
            changed: inputs to be taken instead of the graph's, by title.

        Returns:
            The outputs of every node that ran, by title.
        """
        titles = {key: node["_meta"]["title"] for key, node in prompt.items()}
        done: dict[str, Any] = {}

        def outputs(key: str) -> Any:
            title = titles[key]
            if title in given:
                return given[title]
            if title not in done:
                inputs = {
                    name: outputs(value[0])[value[1]] if isinstance(value, list) else value
                    for name, value in prompt[key]["inputs"].items()
                }
                done[title] = self.call(
                    prompt[key]["class_type"], **inputs | dict((changed or {}).get(title, {}))
                )
            return done[title]

        outputs(next(key for key, title in titles.items() if title == wanted))
        return done

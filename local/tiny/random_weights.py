"""Random weights that are the same every time, and the writing of a file. Runs in the engine's Python."""

import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

State = dict[str, torch.Tensor]


def generator(name: str) -> torch.Generator:
    """A source of random numbers that depends on `name` alone, so that no file depends on another."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def random_state(
    module: Any,
    seed: str,
    *,
    prefix: str = "",
    dtype: torch.dtype = torch.bfloat16,
    keep: tuple[str, ...] = (),
) -> State:
    """Weights for a module that keep the size of what goes through it: finite after any number of layers.

    Arguments:
        module: the module; its buffers, which are constants that its code computes, are kept.
        seed: names the random numbers.
        prefix: goes before each key.
        dtype: of the floating-point weights.
        keep: further keys that are constants.
    """
    rng = generator(seed)
    fixed = {key for key, _ in module.named_buffers()} | set(keep)
    return {
        prefix + key: _constant(key, value, dtype) if key in fixed else _random(key, value, rng).to(dtype)
        for key, value in module.state_dict().items()
    }


def _constant(key: str, value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if "std-of-means" in key:  # latent statistics, which ComfyUI leaves unset until a file fills them
        return torch.ones_like(value, dtype=dtype)
    if "mean-of-means" in key:
        return torch.zeros_like(value, dtype=dtype)
    return value.to(dtype) if value.is_floating_point() else value.clone()


def _random(key: str, value: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    if value.ndim <= 1:
        is_norm = key.endswith("weight") or "lambda" in key
        return torch.ones(value.shape) if is_norm else torch.randn(value.shape, generator=rng) * 0.02
    fan_in = value[0].numel()
    return torch.randn(value.shape, generator=rng) / fan_in**0.5


def write_weights(path: Path, state: State, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file under its final name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file({key: value.contiguous() for key, value in state.items()}, partial, metadata=metadata)
    partial.replace(path)

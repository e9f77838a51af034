"""What an evaluation of the transformer leaves out, sample by sample: the passes that guidance compares.

The engine evaluates several passes as one batch where memory allows. It knows switches for the whole batch
only, so the passes are told apart here, by hooks on the attention modules. They are there while a guider
samples and no longer; ComfyUI's code and weights stay as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import Enum, auto
from typing import Any

import torch

#: Where the guider tells the hooks, in the transformer's options, which pass each condition is.
PASSES = "ltx2_passes"

#: A forward hook of torch that sees the keyword arguments.
Hook = Callable[..., torch.Tensor | None]


class Pass(Enum):
    """One evaluation of the transformer in a step. Source: ltx-pipelines 1.0.0, `utils/helpers.py`."""

    #: The prompt.
    POSITIVE = auto()
    #: The negative prompt.
    NEGATIVE = auto()
    #: The prompt; in one block, self-attention of picture and sound passes its values through.
    PERTURBED = auto()
    #: The prompt; picture and sound do not see each other.
    ISOLATED = auto()


@contextmanager
def told_apart(transformer: Any, stg_block: int) -> Iterator[None]:
    """Make a transformer evaluate each sample of a batch as its pass says.

    Arguments:
        transformer: ComfyUI's LTXAVModel.
        stg_block: the block, counted from 0, whose self-attention PERTURBED passes over. As in ltx-core, a
            block that the model has not got perturbs nothing; the tiny weights have no block 29.
    """
    blocks = transformer.transformer_blocks
    with ExitStack() as hooks:
        for block in blocks[stg_block : stg_block + 1]:
            for attention in (block.attn1, block.audio_attn1):
                hooks.enter_context(attention.register_forward_hook(_values_only, with_kwargs=True))
        for block in blocks:
            for attention in (block.audio_to_video_attn, block.video_to_audio_attn):
                hooks.enter_context(attention.register_forward_hook(_nothing, with_kwargs=True))
        yield


def _values_only(
    attention: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: torch.Tensor
) -> torch.Tensor | None:
    """Replace what PERTURBED samples attend to by their own values."""
    rows = _rows_of(Pass.PERTURBED, kwargs, len(out))
    if not rows:
        return None
    # Without a mask, positions and softmax; a gate of the head, where the model has one, still applies.
    through = attention.forward(args[0][rows], transformer_options={"optimized_attention_override": _through})
    return out.index_copy(0, torch.tensor(rows, device=out.device), through)


def _through(
    _attention: Callable[..., torch.Tensor],
    _query: torch.Tensor,
    _key: torch.Tensor,
    value: torch.Tensor,
    *_args: Any,
    **_kwargs: Any,
) -> torch.Tensor:
    return value


def _nothing(
    _attention: Any, _args: tuple[Any, ...], kwargs: dict[str, Any], out: torch.Tensor
) -> torch.Tensor | None:
    """Let ISOLATED samples get nothing from the other modality."""
    rows = _rows_of(Pass.ISOLATED, kwargs, len(out))
    return out.index_fill(0, torch.tensor(rows, device=out.device), 0.0) if rows else None


def _rows_of(wanted: Pass, kwargs: dict[str, Any], batch: int) -> list[int]:
    """The samples of a batch that belong to a pass; ComfyUI puts the samples of a condition together."""
    options = kwargs.get("transformer_options", {})
    passes: Sequence[Pass] = options.get(PASSES, ())
    if not passes:
        return []
    conditions: Sequence[int] = options["cond_or_uncond"]
    each = batch // len(conditions)
    return [row for row in range(batch) if passes[conditions[row // each]] is wanted]

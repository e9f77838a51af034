"""Shrinks Gemma 3 12B, the one part of LTX-2 whose sizes ComfyUI does not read from its file.

For tests and demonstrations with the tiny weights only. ComfyUI loads it as a custom node package that has no
nodes; the maker of the tiny weights loads it too, so that both build the same small model.
"""

from typing import Any

import torch
from comfy.text_encoders import llama, lt
from comfy.text_encoders.spiece_tokenizer import SPieceTokenizer

NODE_CLASS_MAPPINGS: dict[str, type] = {}

HIDDEN = 64
#: The embedding and each of Gemma's 48 layers: LTX-2 projects all of them together.
HIDDEN_STATES = 49
#: What a projection of its own for picture and for sound gives: the widths of the tiny transformers.
VIDEO_WIDTH, AUDIO_WIDTH = 64, 32

_SIZES = {
    "vocab_size": 512,
    "hidden_size": HIDDEN,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
_VISION_SIZES = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}


def _shrink_config(config: Any) -> None:
    full_init = config.__init__

    def init(self: Any, **overrides: Any) -> None:
        full_init(self, **{**_SIZES, **overrides})

    for name, value in _SIZES.items():
        setattr(config, name, value)
    config.head_dim = 32
    config.vision_config = {**llama.GEMMA3_VISION_CONFIG, **_VISION_SIZES}
    config.__init__ = init


def _init_text_encoder(  # noqa: PLR0917 - ComfyUI's signature
    self: Any,
    dtype_llama: Any = None,
    device: str = "cpu",
    dtype: Any = None,
    text_projection_type: str = "single_linear",
    model_options: dict[str, Any] | None = None,
) -> None:
    # ComfyUI's own writes the projection as 3840 * 49 by 3840, or by 4096 and 2048: gigabytes.
    torch.nn.Module.__init__(self)
    self.dtypes = {dtype, dtype_llama}
    self.compat_mode = False
    self.text_projection_type = text_projection_type
    self.gemma3_12b = lt.Gemma3_12BModel(
        device=device, dtype=dtype_llama, model_options=model_options or {}, layer="all", layer_idx=None
    )
    operations, width = self.gemma3_12b.operations, HIDDEN * HIDDEN_STATES
    if text_projection_type == "dual_linear":
        self.text_embedding_projection = lt.DualLinearProjection(
            width, VIDEO_WIDTH, AUDIO_WIDTH, dtype=dtype, device=device, operations=operations
        )
    else:
        self.text_embedding_projection = operations.Linear(
            width, HIDDEN, bias=False, dtype=dtype, device=device
        )


def _fold(decode: Any) -> Any:
    """The small model has more ids than the small tokenizer pieces: those beyond begin anew."""

    def decoded(self: Any, ids: list[int], *args: Any, **kwargs: Any) -> Any:
        pieces = self.tokenizer.get_piece_size()
        return decode(self, [number % pieces for number in ids], *args, **kwargs)

    return decoded


SPieceTokenizer.decode = _fold(SPieceTokenizer.decode)
_shrink_config(llama.Gemma3_12B_Config)
lt.LTXAVTEModel.__init__ = _init_text_encoder

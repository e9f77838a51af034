"""What LTX-2's published files add to its configuration: which weights are in fp8, and what LoRAs touch.

Blocks of the fp8 files that stay in bf16: the LTX-2 examples of ModelTC/LightX2V (`skip_fp8_block_index`).
How such a layer is stored: pull request 172 of Lightricks/LTX-2. With these and `local/tiny/ltx2_config.py`
the checkpoint has the published 43.3 GB in bf16, 27.1 GB in fp8, and each upscaler the published number of
bytes but for its header (`python -m bench.full_size COMFYUI_DIR --sizes`).
"""

from collections.abc import Callable

#: From the hidden states of Gemma's 48 layers and its embedding to the connectors.
TEXT_PROJECTION = (3840, 3840 * 49)

#: Blocks of the fp8 checkpoints that are not quantised.
BF16_BLOCKS = frozenset({0, 43, 44, 45, 46, 47})
#: An activation's scale; the order of magnitude that pull request 172 quotes.
INPUT_SCALE = 0.0157


def is_quantised(key: str) -> bool:
    """Whether a weight of the transformer is in fp8."""
    parts = key.split(".")
    return parts[0] == "transformer_blocks" and int(parts[1]) not in BF16_BLOCKS


def _of_video(key: str) -> bool:
    return ".attn1." in key or ".attn2." in key or ".ff." in key


def _in_blocks(key: str) -> bool:
    return key.startswith("transformer_blocks.")


#: Rank and layers of the LoRAs: the combinations that give the published sizes.
LORAS: dict[str, tuple[int, Callable[[str], bool]]] = {
    "distilled_lora": (384, lambda key: "embeddings_connector" not in key),
    "camera_static": (128, lambda key: _in_blocks(key) and ".audio_ff." not in key),
    "detailer": (256, lambda key: _in_blocks(key) and _of_video(key)),
}

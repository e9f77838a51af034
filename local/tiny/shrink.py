"""Makes a published configuration tiny: the same parts in the same order, with few channels and layers."""

from typing import Any

from local.tiny.configuration import Configuration
from local.tiny_nodes.tiny_gemma import AUDIO_WIDTH, HIDDEN, VIDEO_WIDTH

#: Sizes of the transformer, of those that a configuration names. Connectors keep their layers.
TRANSFORMER = {
    "num_layers": 1,
    "num_attention_heads": 1,
    "attention_head_dim": VIDEO_WIDTH,
    "cross_attention_dim": VIDEO_WIDTH,
    "audio_num_attention_heads": 1,
    "audio_attention_head_dim": AUDIO_WIDTH,
    "audio_cross_attention_dim": AUDIO_WIDTH,
    "caption_channels": HIDDEN,
    "connector_attention_head_dim": 32,
    "connector_num_attention_heads": VIDEO_WIDTH // 32,
    "audio_connector_attention_head_dim": 32,
    "audio_connector_num_attention_heads": AUDIO_WIDTH // 32,
}

#: A vocoder halves its channels with each of at most six steps.
VOCODER = {
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3, 5]],
    "upsample_initial_channel": 64,
}

Part = dict[str, Any]


def shrunk(full: Configuration) -> Configuration:
    """Return a configuration of the same model, as small as its code allows."""
    parts = full.checkpoint
    return Configuration(
        checkpoint=parts
        | {
            "transformer": _with(parts["transformer"], TRANSFORMER),
            "vae": _video_vae(parts["vae"]),
            "audio_vae": _audio_vae(parts["audio_vae"]),
            "vocoder": _vocoder(parts["vocoder"]),
        },
        upscalers={
            which: sizes | {"mid_channels": 32, "num_blocks_per_stage": 1}
            for which, sizes in full.upscalers.items()
        },
    )


def _with(part: Part, sizes: Part) -> Part:
    return part | {key: size for key, size in sizes.items() if key in part}


def _video_vae(vae: Part) -> Part:
    return vae | {
        "encoder_blocks": _blocks(vae["encoder_blocks"]),
        "decoder_blocks": _blocks(vae["decoder_blocks"]),
        "encoder_base_channels": 4,
        "decoder_base_channels": 4,
        "spatial_padding_mode": "zeros",
    }


def _blocks(blocks: list[Any]) -> list[Any]:
    """The first and the last residual block with one layer, and what changes the size between them."""
    between = [
        [name, settings | ({"residual": False} if "residual" in settings else {})]
        for name, settings in blocks
        if name != "res_x"
    ]
    first, last = ([name, settings | {"num_layers": 1}] for name, settings in (blocks[0], blocks[-1]))
    return [first, *between, last]


def _audio_vae(vae: Part) -> Part:
    params = vae["model"]["params"]
    small = params | {"ddconfig": params["ddconfig"] | {"ch": 8, "num_res_blocks": 1}}
    return vae | {"model": {"params": small}}


def _vocoder(vocoder: Part) -> Part:
    if "vocoder" not in vocoder:
        return _with(vocoder, VOCODER)
    return {stage: _with(sizes, VOCODER) for stage, sizes in vocoder.items()}

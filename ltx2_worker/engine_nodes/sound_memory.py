"""Memory that runs out in the sound's decoder is said to have run out.

ComfyUI 0.30.0's `VAE.decode` (comfy/sd.py) answers it by decoding in tiles along the latent's last dimension.
For the sound of LTX that is frequency, and the tiles do not fit together: the job would end with whatever
exception that comes to, in place of being run again with all memory free.
"""

from typing import Any

import comfy.sd
import torch
from comfy.ldm.lightricks.vae.audio_vae import AudioVAE

NODE_CLASS_MAPPINGS: dict[str, type] = {}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {}

_decode_tiled = comfy.sd.VAE.decode_tiled_1d


def _decode_other_sound_tiled(vae: Any, *args: Any, **kwargs: Any) -> Any:
    """What ComfyUI does, for other models; raises `torch.OutOfMemoryError` for the sound of LTX."""
    if isinstance(vae.first_stage_model, AudioVAE):
        raise torch.OutOfMemoryError("out of memory in the decoder of the sound, which takes no tiles")
    return _decode_tiled(vae, *args, **kwargs)


comfy.sd.VAE.decode_tiled_1d = _decode_other_sound_tiled

"""A video latent decoded chunk by chunk: each is handed on while the next is being decoded, none is kept.

ComfyUI 0.30.0's LTX video VAE decodes in chunks along time, bounded in bytes, and writes each with
`output_buffer[:, :, first:last].copy_(chunk)` (comfy/ldm/lightricks/vae/causal_video_autoencoder.py,
`Decoder.run_up`). What is given here in place of that buffer has this one habit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch
from comfy.ldm.lightricks.vae import causal_video_autoencoder as video_vae

from .look import Unusable, UnusablePicture

#: What LTX-2's decoder has in memory at once at the most, beside its weights: its convolutions keep
#: whole chunks alive. Counted over shapes by bench/decode_memory.py (720p and 1080p, 5 to 40 seconds, three
#: sizes of chunk: 11.5 GB at the most), and some gigabytes more for what a GPU's convolutions work with.
_CHUNKS_ALIVE, _BESIDE_CHUNKS = 80, 3_000_000_000


def decoding_memory(vae: Any, shape: torch.Size) -> int:
    """Bytes of device memory that decoding a latent of this shape takes, beside the VAE's weights.

    ComfyUI asks for as much as if all frames were decoded at once (78 GB for 10 s of 1080p, 303 for 960
    frames). Where weights stay in GPU memory as long as there is room, that would throw out the transformer
    before each decode, and decode with weights that are moved in layer by layer.
    """
    chunks = _CHUNKS_ALIVE * video_vae.get_max_chunk_size(vae.device) + _BESIDE_CHUNKS
    return int(min(vae.memory_used_decode(shape, vae.vae_dtype), chunks))


@dataclass(frozen=True)
class Cut:
    """The part of the decoded video that is wanted: a rectangle in pixels, and the first frames."""

    width: int
    height: int
    x: int
    y: int
    frames: int


class _Buffer:
    """What the decoder takes for its output buffer."""

    def __init__(self, take: Callable[[torch.Tensor], None]) -> None:
        self._take = take

    def __getitem__(self, _: object) -> "_Buffer":
        return self

    def copy_(self, chunk: torch.Tensor) -> None:
        self._take(chunk)


class ChunkedDecode:
    """Decodes one latent; `run` hands the frames on.

    Arguments:
        vae: ComfyUI's; one that decodes in chunks.
        latent: 1 by channels by time by height by width.
        cut: what is wanted of the video.
        take: gets one frame after the other, on the VAE's device: height by width by 3, 8 bits, equal to
            those that VAEDecode, ImageCrop and SaveVideo would make.
        tell: told after each chunk how many frames of it were taken.

    Raises:
        ValueError: the VAE decodes all frames at once, or the video is smaller than its cut.
    """

    def __init__(
        self,
        vae: Any,
        latent: torch.Tensor,
        cut: Cut,
        take: Callable[[torch.Tensor], None],
        tell: Callable[[int], object],
    ) -> None:
        if not getattr(vae.first_stage_model, "comfy_has_chunked_io", False):
            raise ValueError("this VAE decodes all frames at once: use VAE Decode and Save Video")
        batch, _, frames, height, width = vae.first_stage_model.decode_output_shape(latent.shape)
        if batch != 1 or frames < cut.frames or width < cut.x + cut.width or height < cut.y + cut.height:
            raise ValueError(f"{cut} is not within {batch} video of {frames} frames of {width}x{height}")
        self._vae = vae
        self._latent = latent
        self._cut = cut
        self._take = take
        self._tell = tell
        self._taken = 0

    def run(self) -> None:
        """Decode to the end.

        When memory runs out, all other models leave the device and decoding begins anew; frames that were
        handed on are not handed on again.

        Raises:
            UnusablePicture: the video is not a number.
        """
        try:
            self._decode()
            return
        except Exception as error:  # noqa: BLE001 - raised again unless memory ran out
            comfy.model_management.raise_non_oom(error)
        # Outside the handler, whose exception keeps the decoder's tensors alive.
        comfy.model_management.unload_all_models()
        comfy.model_management.soft_empty_cache()
        self._decode()

    def _decode(self) -> None:
        vae, management = self._vae, comfy.model_management
        self._seen = 0
        with management.cuda_device_context(vae.device):
            management.load_models_gpu(
                [vae.patcher],
                memory_required=decoding_memory(vae, self._latent.shape),
                force_full_load=vae.disable_offload,
            )
            samples = self._latent.to(device=vae.device, dtype=vae.vae_dtype)
            vae.first_stage_model.decode(samples, output_buffer=_Buffer(self._chunk))

    def _chunk(self, chunk: torch.Tensor) -> None:
        """Hand on what is wanted of a chunk: 1 by 3 by time by height by width, as the decoder makes it."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        cut, first = self._cut, max(0, self._taken - self._seen)
        last = min(chunk.shape[2], cut.frames - self._seen)
        self._seen += chunk.shape[2]
        if first >= last:
            return
        part = chunk[0, :, first:last, cut.y : cut.y + cut.height, cut.x : cut.x + cut.width]
        # The very steps of VAEDecode (a copy in its output's type, `process_output`) and of SaveVideo.
        pixels = self._vae.process_output(part.to(dtype=self._vae.vae_output_dtype(), copy=True))
        if not math.isfinite(pixels.sum(dtype=torch.float32).item()):
            raise UnusablePicture(Unusable.NOT_A_NUMBER)
        for frame in pixels.mul_(255).clamp_(0, 255).byte().permute(1, 2, 3, 0):
            self._take(frame)
            self._taken += 1  # of each frame: memory may run out where one is copied off the device
        self._tell(last - first)

"""Lightricks' side: ltx-core's modules, loaded by its own builder."""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from ltx_core.loader.sd_ops import LTXV_LORA_COMFY_RENAMING_MAP, SDOps
from ltx_core.loader.sft_loader import SafetensorsModelStateDictLoader
from ltx_core.loader.single_gpu_model_builder import SingleGPUModelBuilder
from ltx_core.model.audio_vae import encode_audio
from ltx_core.model.upsampler import upsample_video
from ltx_core.text_encoders.gemma.embeddings_connector import (
    AudioEmbeddings1DConnectorConfigurator,
    Embeddings1DConnectorConfigurator,
)
from ltx_core.types import Audio
from ltx_pipelines.utils.model_ledger import ModelLedger

from tests.reference.stages import CPU


def merge(transformer: Any, lora: dict[str, torch.Tensor], strength: float) -> None:
    """Add a LoRA's product to the weights, as `fuse_loras.py` does to 8 and 16 bits; it refuses 32."""
    merged = 0
    for name, weight in transformer.named_parameters():
        base = name.removesuffix(".weight")
        if f"{base}.lora_A.weight" in lora:
            weight.add_((lora[f"{base}.lora_B.weight"] * strength) @ lora[f"{base}.lora_A.weight"])
            merged += 2
    assert merged == len(lora)


class Lightricks:
    """Everything that is loaded from one folder of models, at most once.

    Arguments:
        models: a folder of ComfyUI's layout.
        checkpoint, upscalers: files in it.
    """

    def __init__(self, models: Path, checkpoint: Path, upscalers: dict[str, Path]) -> None:
        self._models = models
        self._upscalers = upscalers
        self._transformers: dict[tuple[tuple[str, float], ...], Any] = {}
        self._ledger = ModelLedger(torch.float32, CPU, checkpoint_path=str(models / checkpoint))
        self.video_decoder = self._ledger.video_decoder()
        self.vocoder = self._ledger.vocoder()

    @cached_property
    def video_encoder(self) -> Any:
        """The video VAE's encoder."""
        return self._ledger.video_encoder()

    @cached_property
    def audio_encoder(self) -> Any:
        """The audio VAE's encoder, of a spectrogram."""
        return self._ledger.audio_encoder()

    @cached_property
    def audio_decoder(self) -> Any:
        """The audio VAE's decoder, to a spectrogram."""
        return self._ledger.audio_decoder()

    def connector(self, modality: str) -> Any:
        """What text goes through before the transformer: of "video" or of "audio"."""
        prefix = f"model.diffusion_model.{modality}_embeddings_connector."
        configurator = Embeddings1DConnectorConfigurator
        if modality == "audio":
            configurator = AudioEmbeddings1DConnectorConfigurator
        keys = SDOps(modality).with_matching(prefix=prefix).with_replacement(prefix, "")
        path = str(self._ledger.checkpoint_path)
        return SingleGPUModelBuilder(configurator, path, keys).build(CPU, torch.float32)

    def upscaler(self, which: str) -> Any:
        """A latent upscaler."""
        path = str(self._models / self._upscalers[which])
        return ModelLedger(torch.float32, CPU, spatial_upsampler_path=path).spatial_upsampler()

    def transformer(self, *loras: tuple[str, float]) -> Any:
        """The transformer with LoRAs merged: name and strength of each."""
        if loras not in self._transformers:
            transformer = self._ledger.transformer()
            for name, strength in loras:
                lora = SafetensorsModelStateDictLoader().load(
                    str(self._models / "loras" / f"{name}.safetensors"), LTXV_LORA_COMFY_RENAMING_MAP, CPU
                )
                merge(transformer.velocity_model, lora.sd, strength)
            self._transformers[loras] = transformer
        return self._transformers[loras]

    def encoded(self, pixels: torch.Tensor) -> torch.Tensor:
        """The latent of frames: (frames, height, width, 3), 0 to 1."""
        return self.video_encoder((pixels * 2 - 1).movedim(-1, 0)[None])

    def encoded_sound(self, sound: Audio) -> torch.Tensor:
        """The latent of a sound."""
        return encode_audio(sound, self.audio_encoder)

    def upscaled(self, latent: torch.Tensor, which: str = "spatial") -> torch.Tensor:
        """A latent of twice the size, or of twice the frames."""
        return upsample_video(latent, self.video_encoder, self.upscaler(which))

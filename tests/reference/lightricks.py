"""Lightricks' side: ltx-core's modules, loaded by its own builder and driven by ltx-pipelines' own loop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from ltx_core.components.diffusion_steps import EulerDiffusionStep
from ltx_core.conditioning import VideoConditionByKeyframeIndex
from ltx_core.loader.sd_ops import LTXV_LORA_COMFY_RENAMING_MAP, SDOps
from ltx_core.loader.sft_loader import SafetensorsModelStateDictLoader
from ltx_core.loader.single_gpu_model_builder import SingleGPUModelBuilder
from ltx_core.model.transformer import Modality
from ltx_core.model.transformer.transformer_args import MultiModalTransformerArgsPreprocessor
from ltx_core.text_encoders.gemma.embeddings_connector import (
    AudioEmbeddings1DConnectorConfigurator,
    Embeddings1DConnectorConfigurator,
)
from ltx_core.types import LatentState, VideoPixelShape
from ltx_pipelines.utils import helpers
from ltx_pipelines.utils.model_ledger import ModelLedger
from ltx_pipelines.utils.samplers import euler_denoising_loop
from ltx_pipelines.utils.types import PipelineComponents

CPU = torch.device("cpu")


def _prepare_as_1_2_0(
    preprocessor: MultiModalTransformerArgsPreprocessor, modality: Modality, cross_modality: Any = None
) -> Any:
    """Between picture and sound, a token is scaled and shifted by its own noise level, not by sigma.

    ltx-core 1.0.0, the newest on the package index, takes sigma; ltx-core 1.2.0 (github.com/Lightricks/LTX-2
    at 400fd31) and ComfyUI take the token's level. They differ where a token is held.
    """
    prepared = _prepare_1_0_0(preprocessor, modality, cross_modality)
    if cross_modality is None:
        return prepared
    own, _ = preprocessor._prepare_cross_attention_timestep(
        timestep=modality.timesteps,
        timestep_scale_multiplier=preprocessor.simple_preprocessor.timestep_scale_multiplier,
        batch_size=len(modality.latent),
        hidden_dtype=modality.latent.dtype,
    )
    return replace(prepared, cross_scale_shift_timestep=own)


_prepare_1_0_0 = MultiModalTransformerArgsPreprocessor.prepare
MultiModalTransformerArgsPreprocessor.prepare = _prepare_as_1_2_0


class Still(VideoConditionByKeyframeIndex):  # type: ignore[misc]
    """A picture at a frame: one frame of the video, as a start image is.

    ltx-core 1.0.0, the newest on the package index, lets a picture behind the first frame last eight frames;
    ltx-core 1.2.0 (github.com/Lightricks/LTX-2 at 400fd31) and ComfyUI let it last one.
    """

    def __init__(self, keyframe: torch.Tensor, frame: int, strength: float) -> None:
        super().__init__(keyframe, 0, strength)
        self._frame = frame

    def apply_to(self, latent_state: LatentState, latent_tools: Any) -> LatentState:
        """Append the picture's tokens at its frame."""
        before = latent_state.latent.shape[1]
        state = super().apply_to(latent_state, latent_tools)
        positions = state.positions.clone()
        positions[:, 0, before:] += self._frame / latent_tools.fps
        return replace(state, positions=positions)


@dataclass(frozen=True)
class Size:
    """What a stage generates; pixels, frames, frames per second."""

    width: int
    height: int
    frames: int
    fps: float = 24.0


class GivenNoise:
    """ltx-core's GaussianNoiser, with the noise handed in instead of drawn.

    Arguments:
        noises: (1, channels, frames, …) for the picture, then for the sound.
        guides: for the tokens that conditionings append to the picture; None where those are not noised.
    """

    def __init__(self, *noises: torch.Tensor, guides: torch.Tensor | None = None) -> None:
        self._tokens = [tokens_of(noise) for noise in noises]
        self._guides = None if guides is None else tokens_of(guides)

    def __call__(self, state: LatentState, noise_scale: float = 1.0) -> LatentState:
        tokens = self._tokens.pop(0)
        appended = state.latent.shape[1] - tokens.shape[1]
        if appended:
            guides = self._guides
            tokens = torch.cat([tokens, state.latent[:, -appended:] if guides is None else guides], dim=1)
        mask = state.denoise_mask * noise_scale
        return replace(state, latent=tokens * mask + state.latent * (1 - mask))


def merge(transformer: Any, lora: dict[str, torch.Tensor], strength: float) -> None:
    """Add a LoRA's product to the weights, as `fuse_loras.py` does to 8 and 16 bits; it refuses 32."""
    merged = 0
    for name, weight in transformer.named_parameters():
        base = name.removesuffix(".weight")
        if f"{base}.lora_A.weight" in lora:
            weight.add_((lora[f"{base}.lora_B.weight"] * strength) @ lora[f"{base}.lora_A.weight"])
            merged += 2
    assert merged == len(lora)


def tokens_of(latent: torch.Tensor) -> torch.Tensor:
    """A latent of picture or sound as the transformer's tokens: (1, tokens, 128)."""
    return latent.flatten(2).mT if latent.ndim == 5 else latent.movedim(1, 2).flatten(2)


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
        self.components = PipelineComponents(torch.float32, CPU)

        self.video_decoder = self._ledger.video_decoder()
        self.vocoder = self._ledger.vocoder()

    @cached_property
    def video_encoder(self) -> Any:
        """The video VAE's encoder."""
        return self._ledger.video_encoder()

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

    def sample(  # noqa: PLR0917 - a stage of ltx-pipelines
        self,
        denoise: Any,
        sigmas: torch.Tensor,
        noise: GivenNoise,
        size: Size,
        conditionings: Sequence[Any] = (),
        start: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A stage of ltx-pipelines.

        Arguments:
            denoise: one of `helpers`' denoising functions.
            start: latents of picture and sound that are noised to the first sigma; None begins with noise.
        """
        video, audio = helpers.denoise_audio_video(
            output_shape=VideoPixelShape(1, size.frames, size.height, size.width, size.fps),
            conditionings=list(conditionings),
            noiser=noise,
            sigmas=sigmas,
            stepper=EulerDiffusionStep(),
            denoising_loop_fn=lambda sigmas, video, audio, stepper: euler_denoising_loop(
                sigmas, video, audio, stepper, denoise
            ),
            components=self.components,
            dtype=torch.float32,
            device=CPU,
            noise_scale=1.0 if start is None else sigmas[0].item(),
            initial_video_latent=None if start is None else start[0],
            initial_audio_latent=None if start is None else start[1],
        )
        return video.latent, audio.latent

    def sample_to_sound(  # noqa: PLR0917 - a stage of ltx-pipelines
        self,
        denoise: Any,
        sigmas: torch.Tensor,
        noise: GivenNoise,
        size: Size,
        sound: torch.Tensor,
        start: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """A stage of `a2vid_two_stage.py`: the picture to a sound that is frozen.

        Arguments:
            sound: the latents of the sound.
            start: latents of the picture that are noised to the first sigma; None begins with noise.
        """
        video = helpers.denoise_video_only(
            output_shape=VideoPixelShape(1, size.frames, size.height, size.width, size.fps),
            conditionings=[],
            noiser=noise,
            sigmas=sigmas,
            stepper=EulerDiffusionStep(),
            denoising_loop_fn=lambda sigmas, video, audio, stepper: euler_denoising_loop(
                sigmas, video, audio, stepper, denoise
            ),
            components=self.components,
            dtype=torch.float32,
            device=CPU,
            noise_scale=1.0 if start is None else sigmas[0].item(),
            initial_video_latent=start,
            initial_audio_latent=sound,
        )
        return video.latent

    def sample_video_alone(  # noqa: PLR0917 - a stage of ltx-pipelines
        self,
        transformer: Any,
        context: torch.Tensor,
        sigmas: torch.Tensor,
        noise: GivenNoise,
        size: Size,
        conditionings: Sequence[Any],
        start: torch.Tensor,
    ) -> torch.Tensor:
        """A stage without sound, which ltx-pipelines 1.0.0 has not got: its own steps, in its own order."""
        state, tools = helpers.noise_video_state(
            VideoPixelShape(1, size.frames, size.height, size.width, size.fps),
            noise,
            list(conditionings),
            self.components,
            torch.float32,
            CPU,
            sigmas[0].item(),
            start,
        )
        stepper = EulerDiffusionStep()
        for index, sigma in enumerate(sigmas[:-1]):
            modality = helpers.modality_from_latent_state(state, context, sigma)
            denoised, _ = transformer(video=modality, audio=None, perturbations=None)
            denoised = helpers.post_process_latent(denoised, state.denoise_mask, state.clean_latent)
            state = replace(state, latent=stepper.step(state.latent, denoised, sigmas, index))
        return tools.unpatchify(tools.clear_conditioning(state)).latent

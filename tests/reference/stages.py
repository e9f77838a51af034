"""Lightricks' side: the stages of ltx-pipelines, by its own loop and steps, with noise that is handed in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from ltx_core.components.diffusion_steps import EulerDiffusionStep
from ltx_core.conditioning import VideoConditionByKeyframeIndex
from ltx_core.model.transformer import Modality
from ltx_core.model.transformer.transformer_args import MultiModalTransformerArgsPreprocessor
from ltx_core.types import LatentState, VideoPixelShape
from ltx_pipelines.utils import helpers
from ltx_pipelines.utils.samplers import euler_denoising_loop
from ltx_pipelines.utils.types import PipelineComponents

CPU = torch.device("cpu")
COMPONENTS = PipelineComponents(torch.float32, CPU)


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


def _modality_as_1_2_0(
    state: LatentState, context: torch.Tensor, sigma: torch.Tensor, enabled: bool = True
) -> Modality:
    """What is held as a whole has a noise level of 0 for the other one too.

    ltx-pipelines 1.0.0, the newest on the package index, tells the picture the step's own beside a frozen
    sound; 1.2.0 (github.com/Lightricks/LTX-2 at 400fd31, `ModalitySpec.frozen`) and ComfyUI tell it 0.
    """
    is_frozen = not state.denoise_mask.any()
    return _modality_1_0_0(state, context, torch.zeros_like(sigma) if is_frozen else sigma, enabled)


_modality_1_0_0 = helpers.modality_from_latent_state
helpers.modality_from_latent_state = _modality_as_1_2_0


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


def tokens_of(latent: torch.Tensor) -> torch.Tensor:
    """A latent of picture or sound as the transformer's tokens: (1, tokens, 128)."""
    return latent.flatten(2).mT if latent.ndim == 5 else latent.movedim(1, 2).flatten(2)


def sample(  # noqa: PLR0917 - a stage of ltx-pipelines
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
        components=COMPONENTS,
        dtype=torch.float32,
        device=CPU,
        noise_scale=1.0 if start is None else sigmas[0].item(),
        initial_video_latent=None if start is None else start[0],
        initial_audio_latent=None if start is None else start[1],
    )
    return video.latent, audio.latent


def sample_to_sound(  # noqa: PLR0917 - a stage of ltx-pipelines
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
        components=COMPONENTS,
        dtype=torch.float32,
        device=CPU,
        noise_scale=1.0 if start is None else sigmas[0].item(),
        initial_video_latent=start,
        initial_audio_latent=sound,
    )
    return video.latent


def sample_span(  # noqa: PLR0917 - a stage of ltx-pipelines
    denoise: Any,
    sigmas: torch.Tensor,
    noise: GivenNoise,
    size: Size,
    held: tuple[Sequence[Any], Sequence[Any]],
    start: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """A stage of `retake.py`, which noises picture and sound by conditionings of their own.

    Arguments:
        held: conditionings of the picture and of the sound; their masks say what is made anew.
        start: latents of picture and sound, noised to the first sigma where they are made anew.
    """
    shape = VideoPixelShape(1, size.frames, size.height, size.width, size.fps)
    given = (COMPONENTS, torch.float32, CPU, sigmas[0].item())
    video, video_tools = helpers.noise_video_state(shape, noise, list(held[0]), *given, start[0])
    audio, audio_tools = helpers.noise_audio_state(shape, noise, list(held[1]), *given, start[1])
    video, audio = euler_denoising_loop(sigmas, video, audio, EulerDiffusionStep(), denoise)
    return video_tools.unpatchify(video).latent, audio_tools.unpatchify(audio).latent


def sample_video_alone(  # noqa: PLR0917 - a stage of ltx-pipelines
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
        COMPONENTS,
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

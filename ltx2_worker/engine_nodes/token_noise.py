"""Gives each token the noise level that its mask says, through a whole sampling.

A token with mask m is told the noise level m * sigma. ComfyUI 0.30.0 still takes its clean value to be
`x - sigma * velocity`, and carries on with a state that is not the one the transformer saw. With a mask
between 0 and 1, as an image or a guide of strength below 1 has it, noise stays in the result, and the picture
is held less firmly. Here a token is treated as ltx-core 1.0.0 and ltx-pipelines 1.0.0 treat it (`X0Model` in
`model/transformer/model.py`, `components/noisers.py`, `post_process_latent` in `utils/helpers.py`). Masks of
0 and 1 give what ComfyUI gives.
"""

from typing import Any

import torch
from comfy.patcher_extension import WrappersMP

KEY = "ltx2_token_noise"


class TokenNoise:
    """The three places of a sampling where a token's own noise level counts, for one patched model."""

    def __init__(self) -> None:
        self._mask: torch.Tensor | None = None
        self._clean: torch.Tensor | None = None

    def sample(  # noqa: PLR0917 - ComfyUI's signature
        self,
        executor: Any,
        guider: Any,
        sigmas: torch.Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: torch.Tensor,
        latent_image: torch.Tensor | None = None,
        denoise_mask: torch.Tensor | None = None,
        disable_pbar: bool = False,
    ) -> torch.Tensor:
        """Start from tokens of their own noise level, and let nothing else blend them.

        Arguments:
            executor: goes on with the sampling.
            denoise_mask: 1 where a token is noise at sigma 1, 0 where it is the latent's; None: 1 everywhere.
            latent_image: the clean latent, of the mask's shape.
        """
        if denoise_mask is None or latent_image is None:
            return executor(
                guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar
            )
        # Below 0 is ComfyUI's mark for holes in the grid of a guide smaller than the video.
        self._mask, self._clean = denoise_mask.clamp(0.0, 1.0), latent_image
        # The sampler mixes noise and latent by sigma; of this noise, it makes a mixture by mask * sigma.
        noise = torch.lerp(latent_image, noise, self._mask)
        try:
            return executor(guider, sigmas, extra_args, callback, noise, latent_image, None, disable_pbar)
        finally:
            self._mask = self._clean = None

    def apply(self, executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Predict the clean latent with each token's own noise level."""
        denoised = executor(x, *args, **kwargs)
        return denoised if self._mask is None else torch.lerp(x, denoised, self._mask)

    def predict(self, executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Mix the guided prediction with the clean latent, by the mask."""
        denoised = executor(*args, **kwargs)
        if self._mask is None or self._clean is None:
            return denoised
        return torch.lerp(self._clean, denoised, self._mask)


class LTX2TokenNoise:
    """The node: a model whose tokens are denoised by their own noise level."""

    CATEGORY = "ltx2"
    FUNCTION = "patch"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """The input: the model."""
        return {"required": {"model": ("MODEL",)}}

    def patch(self, *, model: Any) -> tuple[Any]:
        """Return the model with the three places replaced."""
        return (with_token_noise(model),)


def with_token_noise(model: Any) -> Any:
    """A clone of a ModelPatcher that gives each token its own noise level."""
    patched, tokens = model.clone(), TokenNoise()
    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, KEY, tokens.sample)
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, tokens.apply)
    patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, KEY, tokens.predict)
    return patched


NODE_CLASS_MAPPINGS = {"LTX2TokenNoise": LTX2TokenNoise}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2TokenNoise": "LTX-2 Noise Level per Token"}

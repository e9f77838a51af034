"""Lightricks' own `RetakePipeline`, called as it is: what it reads, loads and draws is handed in."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from ltx_core.components.guiders import MultiModalGuiderParams
from ltx_core.types import Audio
from ltx_pipelines import retake

from tests.reference.lightricks import Lightricks
from tests.reference.stages import COMPONENTS, CPU, GivenNoise


class Retake(retake.RetakePipeline):  # type: ignore[misc]
    """The pipeline on models that are loaded already; its results are latents, not decoded.

    Arguments:
        theirs: has the encoders.
        transformer: which of its transformers.
        texts: what the text encoder makes of the prompt, and of the negative one.
    """

    def __init__(self, theirs: Lightricks, transformer: Any, texts: tuple[Any, Any]) -> None:
        self.device, self.dtype = CPU, torch.float32
        self.pipeline_components = COMPONENTS
        self.model_ledger = SimpleNamespace(
            video_encoder=lambda: theirs.video_encoder,
            audio_encoder=lambda: theirs.audio_encoder,
            transformer=lambda: transformer,
            video_decoder=lambda: None,
            audio_decoder=lambda: None,
            vocoder=lambda: None,
        )
        self._texts = [
            SimpleNamespace(video_encoding=text.video, audio_encoding=text.audio) for text in texts
        ]

    def latents(
        self,
        frames: torch.Tensor,
        sound: Audio,
        noise: GivenNoise,
        span: tuple[float, float],
        *,
        what: str,
        steps: int,
        guiding: tuple[MultiModalGuiderParams, MultiModalGuiderParams] | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make a span anew.

        Arguments:
            frames: of the source: (frames, height, width, 3), 0 to 1, at 24 per second.
            span: from when to when, in seconds.
            what: "both", "video" or "audio".
            steps: where it is guided.
            guiding: of picture and sound; None: the distilled recipe.
        """
        count, height, width, _ = frames.shape
        replaced: dict[str, Any] = {
            "get_videostream_metadata": lambda _path: (24.0, count, width, height),
            "load_video_conditioning": lambda **_: (frames * 2 - 1).movedim(-1, 0)[None],
            "decode_audio_from_file": lambda *_: sound,
            "encode_prompts": lambda *_, **__: self._texts,
            "GaussianNoiser": lambda **_: noise,
            "cleanup_memory": lambda: None,
            "vae_decode_video": lambda latent, *_: latent,
            "vae_decode_audio": lambda latent, *_: latent,
        }
        with mock.patch.multiple(retake, **replaced), mock.patch.object(torch.cuda, "synchronize"):
            picture, waveform = self(
                "",
                "",
                *span,
                0,
                num_inference_steps=steps,
                video_guider_params=guiding and guiding[0],
                audio_guider_params=guiding and guiding[1],
                regenerate_video=what != "audio",
                regenerate_audio=what != "video",
                distilled=guiding is None,
            )
        return picture, waveform

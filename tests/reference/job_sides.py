"""Both sides of a job: what the graph is given, how it is run, and ltx-pipelines' stages beside it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from ltx_core.components.guiders import MultiModalGuiderParams, create_multimodal_guider_factory
from ltx_core.conditioning import ConditioningItem, VideoConditionByLatentIndex
from ltx_pipelines.utils import constants, helpers

from tests.reference import graph_runner, stages
from tests.reference.graph_runner import GraphRunner, Prompt
from tests.reference.lightricks import Lightricks
from tests.reference.record import Record
from tests.reference.stages import Size
from tests.reference.weights import UPSCALERS

#: What adds up over a few steps of 32-bit numbers, relative to the latent's largest value.
FLOAT = 5e-5

FIRST = Size(128, 64, 25)
FULL = Size(256, 128, 25)
SOUND = 26  # latents of 25 frames' sound
STEPS = 4  # of pro, here

DISTILLED = torch.tensor(constants.DISTILLED_SIGMA_VALUES)
REFINING = torch.tensor(constants.STAGE_2_DISTILLED_SIGMA_VALUES)
#: Of a family's second stage: noise levels, and how strong the distilled LoRA is where there is one. Those of
#: LTX-2.3 are ComfyUI's templates', which begin lower than ltx-pipelines.
SECOND_STAGES = {
    "ltx-2": (REFINING, 0.8),
    "ltx-2.3": (torch.tensor([0.85, 0.725, 0.4219, 0.0]), 0.5),
}

Latents = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Text:
    """A prompt as both sides take it: (1, 1024, width) each."""

    video: torch.Tensor
    audio: torch.Tensor

    @property
    def conditioning(self) -> Any:
        """As ComfyUI's nodes hand it on; so wide a context needs no connector any more."""
        return ([[torch.cat([self.video, self.audio], -1), {"pooled_output": None}]],)


def inputs(prompt: Prompt, title: str) -> dict[str, Any]:
    """The inputs of a node."""
    (found,) = (node["inputs"] for node in prompt.values() if node["_meta"]["title"] == title)
    return dict(found)


def guiding(prompt: Prompt) -> dict[str, Any] | None:
    """The inputs of the node that guides the first stage; None where it is not guided."""
    found = [node["inputs"] for node in prompt.values() if node["class_type"] == "LTX2Guider"]
    return dict(found[0]) if found else None


def fitted(pixels: torch.Tensor, size: Size) -> torch.Tensor:
    """Frames at a stage's size."""
    moved = torch.nn.functional.interpolate(
        pixels.movedim(-1, 1), (size.height, size.width), mode="bilinear", align_corners=False
    )
    return moved.movedim(1, -1)


class Sides:
    """The engine's and Lightricks' side of jobs on the same weights, noise and text.

    Arguments:
        graph: the engine's side.
        theirs: Lightricks' side.
        record: takes the comparisons.
        checkpoint: name of the file that both sides load.
        family: name of the model's generation.
        widths: how wide the text is for the picture and for the sound.
        stg_block: the block that guidance perturbs.
        is_graph_s: the graph's own block is compared with it; otherwise the graph gets it.
    """

    def __init__(
        self,
        graph: GraphRunner,
        theirs: Lightricks,
        record: Record,
        checkpoint: str,
        *,
        family: str,
        widths: tuple[int, int],
        stg_block: int,
        is_graph_s: bool = False,
    ) -> None:
        self.graph, self.theirs, self.record = graph, theirs, record
        self.is_graph_s, self.stg_block = is_graph_s, stg_block
        self.refining, self._lora_strength = SECOND_STAGES[family]
        self._rng = torch.Generator().manual_seed(7)
        self._model, _, vae = graph.call("CheckpointLoaderSimple", ckpt_name=checkpoint)
        (audio_vae,) = graph.call("LTXVAudioVAELoader", ckpt_name=checkpoint)
        self.positive, self.negative = (
            Text(*(self.random(1, 1024, width) for width in widths)) for _ in range(2)
        )
        self.image = self.pictures(1, FULL)[0:1]
        self.frames = self.pictures(FIRST.frames, FIRST)
        self.noise = self.random(1, 128, 4, 2, 4), self.random(1, 8, SOUND, 16)
        self.refining_noise = self.random(1, 128, 4, 4, 8), self.random(1, 8, SOUND, 16)
        self._given: dict[str, Any] = {
            "Checkpoint": (self._model, None, vae),
            "Audio VAE": (audio_vae,),
            "Prompt": self.positive.conditioning,
            "Negative prompt": self.negative.conditioning,
            "Detailer prompt": self.negative.conditioning,
            "Start image": (self.image,),
            "Control frames": (self.frames,),
            "Stage 1 noise": (graph_runner.GivenNoise(*self.noise),),
            "Stage 2 noise": (graph_runner.GivenNoise(*self.refining_noise),),
        }
        for which, path in UPSCALERS.items():
            (loaded,) = graph.call("LatentUpscaleModelLoader", model_name=path.name)
            self._given[f"{which.capitalize()} upscaler model"] = (loaded,)

    def random(self, *shape: int) -> torch.Tensor:
        """Noise, a latent."""
        return torch.randn(*shape, generator=self._rng)

    def pictures(self, frames: int, size: Size) -> torch.Tensor:
        """Frames of noise: (frames, height, width, 3), 0 to 1."""
        return torch.rand(frames, size.height, size.width, 3, generator=self._rng)

    # --- the engine's side -------------------------------------------------------------------------

    def run(
        self,
        prompt: Prompt,
        wanted: str,
        given: Mapping[str, Any] | None = None,
        changed: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Run a job's graph up to a node, as `GraphRunner.run` does."""
        loras = {
            title: {"lora_name": "plain.safetensors"}
            for title in ("Distilled LoRA", "Detailer LoRA", "Control LoRA")
        }
        is_given = guiding(prompt) is not None and not self.is_graph_s
        block = {"Stage 1 guider": {"stg_block": self.stg_block}} if is_given else {}
        return self.graph.run(
            prompt, wanted, self._given | dict(given or {}), loras | block | dict(changed or {})
        )

    def compressed(self, prompt: Prompt, title: str, picture: torch.Tensor) -> torch.Tensor:
        """A picture as a graph compresses it for its first stage."""
        compression = inputs(prompt, f"{title} compression")["img_compression"]
        (found,) = self.graph.call("LTXVPreprocess", image=picture, img_compression=compression)
        return torch.as_tensor(found)

    @contextmanager
    def counted(self) -> Iterator[list[int]]:
        """Count the samples that go through the engine's transformer."""
        rows: list[int] = []
        hook = self._model.model.diffusion_model.patchify_proj.register_forward_hook(
            lambda _module, args, _out: rows.append(len(args[0]))
        )
        try:
            yield rows
        finally:
            hook.remove()

    def both(self, name: str, ours: Any, theirs: Latents, limit: float = FLOAT) -> None:
        """Compare a stage's picture and sound."""
        for which, part, expected in zip(("picture", "sound"), ours, theirs, strict=True):
            self.record.compare(f"{name}: {which}", part["samples"], expected, limit)

    # --- Lightricks' side --------------------------------------------------------------------------

    def transformer(self, prompt: Prompt) -> Any:
        """The transformer with the distilled LoRA, if the graph has one."""
        has_one = any(node["_meta"]["title"] == "Distilled LoRA" for node in prompt.values())
        return self.theirs.transformer(*([("plain", self._lora_strength)] if has_one else []))

    def first_transformer(self, prompt: Prompt) -> Any:
        """The transformer of the first stage: a guided one is without the distilled LoRA."""
        return self.theirs.transformer() if guiding(prompt) else self.transformer(prompt)

    def simple(self, transformer: Any = None) -> Any:
        """A step without guidance."""
        text = self.positive
        return helpers.simple_denoising_func(
            text.video, text.audio, self.theirs.transformer() if transformer is None else transformer
        )

    def guider_params(self, prompt: Prompt) -> tuple[MultiModalGuiderParams, MultiModalGuiderParams]:
        """How a graph's first stage is guided: the picture, and the sound."""
        guider = guiding(prompt)
        assert guider is not None
        video, audio = (
            MultiModalGuiderParams(
                cfg_scale=guider[scale],
                stg_scale=guider["stg"],
                stg_blocks=[self.stg_block],
                modality_scale=guider["modality"],
                rescale_scale=guider["rescale"],
            )
            for scale in ("video_cfg", "audio_cfg")
        )
        return video, audio

    def guided(self, prompt: Prompt, transformer: Any = None) -> Any:
        """A step with a graph's guidance."""
        video, audio = self.guider_params(prompt)
        return helpers.multi_modal_guider_factory_denoising_func(
            create_multimodal_guider_factory(video, self.negative.video),
            create_multimodal_guider_factory(audio, self.negative.audio),
            self.positive.video,
            self.positive.audio,
            self.theirs.transformer() if transformer is None else transformer,
        )

    def first(
        self, denoise: Any, sigmas: torch.Tensor, conditionings: Sequence[ConditioningItem] = ()
    ) -> Latents:
        """The first stage."""
        return stages.sample(denoise, sigmas, stages.GivenNoise(*self.noise), FIRST, conditionings)

    def second(
        self, prompt: Prompt, first: Latents, conditionings: Sequence[ConditioningItem] = ()
    ) -> Latents:
        """The second stage, of what the first one made."""
        start = self.theirs.upscaled(first[0]), first[1]
        noise = stages.GivenNoise(*self.refining_noise)
        denoise = self.simple(self.transformer(prompt))
        return stages.sample(denoise, self.refining, noise, FULL, conditionings, start)

    def start_image(self, pixels: torch.Tensor, size: Size, strength: float) -> ConditioningItem:
        """A picture in the place of the first frame."""
        return VideoConditionByLatentIndex(self.theirs.encoded(fitted(pixels, size)), strength, latent_idx=0)

"""Whole jobs: the worker's own graphs against ltx-pipelines' stages, stage after stage."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from ltx_core.components.guiders import MultiModalGuiderParams, create_multimodal_guider_factory
from ltx_core.components.schedulers import LTX2Scheduler
from ltx_core.conditioning import (
    ConditioningItem,
    ConditioningItemAttentionStrengthWrapper,
    VideoConditionByKeyframeIndex,
    VideoConditionByLatentIndex,
    VideoConditionByReferenceLatent,
)
from ltx_core.model.upsampler import upsample_video
from ltx_pipelines.utils import constants, helpers

from tests.reference import graph_runner, lightricks
from tests.reference.graph_runner import GraphRunner, Prompt
from tests.reference.lightricks import Lightricks, Size
from tests.reference.record import Record
from tests.reference.weights import UPSCALERS

#: What adds up over a few steps of 32-bit numbers, relative to the latent's largest value.
FLOAT = 5e-5

FIRST = Size(128, 64, 25)
FULL = Size(256, 128, 25)
FULL_48 = Size(256, 128, 49, 48.0)
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


def _inputs(prompt: Prompt, title: str) -> dict[str, Any]:
    """The inputs of a node."""
    (found,) = (node["inputs"] for node in prompt.values() if node["_meta"]["title"] == title)
    return dict(found)


class JobCases:
    """Compares jobs.

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
        self._graph, self._theirs, self._record = graph, theirs, record
        self._stg_block, self._is_graph_s = stg_block, is_graph_s
        self._refining, self._lora_strength = SECOND_STAGES[family]
        self._rng = torch.Generator().manual_seed(7)
        self._model, _, self._vae = graph.call("CheckpointLoaderSimple", ckpt_name=checkpoint)
        (audio_vae,) = graph.call("LTXVAudioVAELoader", ckpt_name=checkpoint)
        self._positive, self._negative = (
            Text(*(self._random(1, 1024, width) for width in widths)) for _ in range(2)
        )
        self._image = torch.rand(1, FULL.height, FULL.width, 3, generator=self._rng)
        self._frames = torch.rand(FIRST.frames, FIRST.height, FIRST.width, 3, generator=self._rng)
        self._noise = self._random(1, 128, 4, 2, 4), self._random(1, 8, SOUND, 16)
        self._refining_noise = self._random(1, 128, 4, 4, 8), self._random(1, 8, SOUND, 16)
        self._temporal_noise = self._random(1, 128, 7, 4, 8), self._refining_noise[1]
        self._given: dict[str, Any] = {
            "Checkpoint": (self._model, None, self._vae),
            "Audio VAE": (audio_vae,),
            "Prompt": self._positive.conditioning,
            "Negative prompt": self._negative.conditioning,
            "Detailer prompt": self._negative.conditioning,
            "Start image": (self._image,),
            "Control frames": (self._frames,),
            "Stage 1 noise": (graph_runner.GivenNoise(*self._noise),),
            "Stage 2 noise": (graph_runner.GivenNoise(*self._refining_noise),),
        }
        for which, path in UPSCALERS.items():
            (loaded,) = graph.call("LatentUpscaleModelLoader", model_name=path.name)
            self._given[f"{which.capitalize()} upscaler model"] = (loaded,)

    def _random(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self._rng)

    def run(self, prompts: Mapping[str, Prompt]) -> None:
        """Compare every job of which there is a graph."""
        for name, prompt in prompts.items():
            getattr(self, name.split(":")[0])(name.replace(":", " "), prompt)

    # --- the recipes -------------------------------------------------------------------------------

    def fast(self, name: str, prompt: Prompt) -> None:
        """The distilled recipe: eight steps, upscaling, three steps."""
        ours = self._run(prompt, "Stage 2 result")
        first = self._theirs_first(self._simple(), DISTILLED)
        self._both(f"{name}, stage 1", ours["Stage 1 result"], first)
        refined = self._theirs_second(prompt, first)
        self._both(f"{name}, stage 2", ours["Stage 2 result"], refined)

    def image(self, name: str, prompt: Prompt) -> None:
        """A start image: compressed for the first stage, as it is for the second."""
        strengths = [_inputs(prompt, f"Stage {stage} start image")["strength"] for stage in (1, 2)]
        compression = _inputs(prompt, "Start image compression")["img_compression"]
        ours = self._run(prompt, "Stage 2 result")
        (compressed,) = self._graph.call("LTXVPreprocess", image=self._image, img_compression=compression)
        first = self._theirs_first(
            self._simple(self._with_lora(prompt)),
            DISTILLED,
            [self._start_image(compressed, FIRST, strengths[0])],
        )
        self._both(f"{name}, stage 1", ours["Stage 1 result"], first)
        refined = self._theirs_second(prompt, first, [self._start_image(self._image, FULL, strengths[1])])
        self._both(f"{name}, stage 2", ours["Stage 2 result"], refined)

    def keyframes(self, name: str, prompt: Prompt) -> None:
        """A start image, and a picture at a frame as a guide, in both stages."""
        strength = float(name.rpartition(" ")[2])
        noises = self._random(1, 128, 1, 2, 4), self._random(1, 128, 1, 4, 8)
        given = {
            "Keyframe image": (self._frames[:1],),
            "Stage 1 noise": (graph_runner.GivenNoise(*self._noise, guides=noises[0]),),
            "Stage 2 noise": (graph_runner.GivenNoise(*self._refining_noise, guides=noises[1]),),
        }
        ours = self._run(prompt, "Stage 2 guide removal", given)
        frame = _inputs(prompt, "Stage 1 keyframe")

        def conditionings(image: torch.Tensor, key: torch.Tensor, size: Size) -> list[ConditioningItem]:
            fitted = torch.nn.functional.interpolate(
                key.movedim(-1, 1), (size.height, size.width), mode="bilinear", align_corners=False
            )
            latent = self._theirs.encoded(fitted.movedim(1, -1))
            guide: ConditioningItem = lightricks.Still(latent, frame["frame_idx"], strength)
            if strength < 1.0:
                guide = ConditioningItemAttentionStrengthWrapper(guide, strength)
            return [self._start_image(image, size, 1.0), guide]

        image, key = (
            self._graph.call("LTXVPreprocess", image=each, img_compression=33)[0]
            for each in (self._image, self._frames[:1])
        )
        first = self._theirs.sample(
            self._simple(),
            DISTILLED,
            lightricks.GivenNoise(*self._noise, guides=noises[0]),
            FIRST,
            conditionings(image, key, FIRST),
        )
        self._both(f"{name}, stage 1", (ours["Control guide removal"][2], ours["Stage 1 result"][1]), first)
        upscaled = upsample_video(first[0], self._theirs.video_encoder, self._theirs.upscaler("spatial"))
        second = self._theirs.sample(
            self._simple(),
            REFINING,
            lightricks.GivenNoise(*self._refining_noise, guides=noises[1]),
            FULL,
            conditionings(self._image, self._frames[:1], FULL),
            (upscaled, first[1]),
        )
        self._both(f"{name}, stage 2", (ours["Stage 2 guide removal"][2], ours["Stage 2 result"][1]), second)

    def sound(self, name: str, prompt: Prompt) -> None:
        """A sound that is given: frozen in both stages."""
        sound = self._random(1, 8, SOUND, 16)
        held = {"samples": sound, "noise_mask": torch.zeros(1, 1, SOUND, 16)}
        ours = self._run(prompt, "Stage 2 result", {"Held sound": (held,)})
        noise = lightricks.GivenNoise(*self._noise)
        first = self._theirs.sample_to_sound(self._to_sound, DISTILLED, noise, FIRST, sound)
        self._both(f"{name}, stage 1", ours["Stage 1 result"], (first, sound))
        upscaled = upsample_video(first, self._theirs.video_encoder, self._theirs.upscaler("spatial"))
        noise = lightricks.GivenNoise(*self._refining_noise)
        second = self._theirs.sample_to_sound(self._to_sound, REFINING, noise, FULL, sound, upscaled)
        self._both(f"{name}, stage 2", ours["Stage 2 result"], (second, sound))

    def pro(self, name: str, prompt: Prompt) -> None:
        """The guided recipe, its second stage with the distilled LoRA."""
        (guider,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "LTX2Guider")
        with self._counted() as rows:
            ours = self._run(prompt, "Stage 1 result")
        scales = {"stg": guider["stg"], "modality": guider["modality"], "rescale": guider["rescale"]}
        denoise = self._guided(guider["video_cfg"], guider["audio_cfg"], **scales)
        first = self._theirs_first(denoise, LTX2Scheduler().execute(steps=STEPS))
        self._both(f"{name}, stage 1", ours["Stage 1 result"], first)
        self._record.counts[f"{name}: passes a step"] = sum(rows) / STEPS
        if not self._is_graph_s:  # the second stage has no guidance: once is enough
            ours = self._run(prompt, "Stage 2 result")
            refined = self._theirs_second(prompt, first)
            self._both(f"{name}, stage 2", ours["Stage 2 result"], refined)

    def temporal(self, name: str, prompt: Prompt) -> None:
        """Both upscalers, then one refining pass at 48 frames per second.

        ltx-pipelines has no such job for LTX-2.0; its stages are put together as the graph is.
        """
        noise = {"Stage 2 noise": (graph_runner.GivenNoise(*self._temporal_noise),)}
        ours = self._run(prompt, "Stage 2 result", noise)
        first = self._theirs_first(self._simple(), DISTILLED)
        latent = first[0]
        for which in ("temporal", "spatial"):
            latent = upsample_video(latent, self._theirs.video_encoder, self._theirs.upscaler(which))
        refined = self._theirs.sample(
            self._simple(),
            DISTILLED[-len(REFINING) - 1 :],
            lightricks.GivenNoise(*self._temporal_noise),
            FULL_48,
            start=(latent, first[1]),
        )
        self._both(f"{name}, stage 2", ours["Stage 2 result"], refined)

    def control(self, name: str, prompt: Prompt) -> None:
        """A guide of the first stage's size, or of half of it in a grid with holes, beside a start image.

        The strength is the guide's in both of ltx-core's senses: how clean its tokens are, and how much the
        others attend to them. ComfyUI's node has one number for the two.
        """
        half, strength = "half" in name, float(name.rsplit(maxsplit=1)[-1])
        factor = 2 if half else 1
        guides = self._random(1, 128, 4, 2 // factor, 4 // factor)
        in_grid = torch.zeros(1, 128, 4, 2, 4)
        in_grid[..., ::factor, ::factor] = guides
        noise = {"Stage 1 noise": (graph_runner.GivenNoise(*self._noise, guides=in_grid),)}
        lora = {"lora_name": f"{'union' if half else 'plain'}.safetensors"}
        ours = self._run(prompt, "Control guide removal", noise, {"Control LoRA": lora})

        pixels = torch.nn.functional.interpolate(
            self._frames.movedim(-1, 1),
            (FIRST.height // factor, FIRST.width // factor),
            mode="bilinear",
            align_corners=False,
        )
        guide: ConditioningItem = VideoConditionByReferenceLatent(
            self._theirs.encoded(pixels.movedim(1, -1)), downscale_factor=factor, strength=strength
        )
        if strength < 1.0:
            guide = ConditioningItemAttentionStrengthWrapper(guide, strength)
        transformer = self._theirs.transformer(("union" if half else "plain", 1.0))
        denoise, sigmas = self._simple(transformer), DISTILLED
        if "guided" in name:
            denoise = self._guided(3.0, 7.0, stg=1.0, modality=3.0, rescale=0.7, transformer=transformer)
            sigmas = LTX2Scheduler().execute(steps=STEPS)
        theirs = self._theirs.sample(
            denoise,
            sigmas,
            lightricks.GivenNoise(*self._noise, guides=guides),
            FIRST,
            [self._start_image(self._image, FIRST, 1.0), guide],
        )
        self._both(f"{name}, stage 1", (ours["Control guide removal"][2], ours["Stage 1 result"][1]), theirs)

    def detailer(self, name: str, prompt: Prompt) -> None:
        """One window, then two: the reference stage with the video as its guide, and Lightricks' overlap."""
        for frames in (4, 11):
            video = self._random(1, 128, frames, 2, 3)
            size = min(frames, 7)
            noise, guides = self._random(1, 128, size, 2, 3), self._random(1, 128, size, 2, 3)
            given = {
                "Stage 2 result": ({"samples": video}, {"samples": self._noise[1]}),
                "Detailer noise": (graph_runner.GivenNoise(noise, guides=guides),),
            }
            ours = self._run(prompt, "Detailer sampling", given)["Detailer sampling"][0]["samples"]
            theirs = self._theirs_window(
                noise, guides, video[:, :, :size], [VideoConditionByReferenceLatent(video[:, :, :size])]
            )
            if frames > size:
                window, before = video[:, :, 4:11], theirs[:, :, -3:]
                conditionings = [
                    VideoConditionByKeyframeIndex(before, frame_idx=0, strength=0.5),
                    VideoConditionByKeyframeIndex(window[:, :, 3:], frame_idx=17, strength=1.0),
                ]
                new = self._theirs_window(noise, guides, window, conditionings)[:, :, 1:]
                fade = torch.tensor([2 / 3, 1 / 3]).view(1, 1, 2, 1, 1)
                faded = theirs[:, :, -2:] * fade + new[:, :, :2] * (1 - fade)
                theirs = torch.cat([theirs[:, :, :-2], faded, new[:, :, 2:]], dim=2)
            self._record.compare(f"{name}, {frames} latent frames", ours, theirs, FLOAT)

    def _theirs_window(
        self,
        noise: torch.Tensor,
        guides: torch.Tensor,
        latent: torch.Tensor,
        conditionings: list[ConditioningItem],
    ) -> torch.Tensor:
        frames, height, width = latent.shape[2:]
        return self._theirs.sample_video_alone(
            self._theirs.transformer(("plain", 1.0)),
            self._negative.video,
            REFINING,
            lightricks.GivenNoise(noise, guides=guides),
            Size(width * 32, height * 32, (frames - 1) * 8 + 1),
            conditionings,
            latent,
        )

    def _run(
        self,
        prompt: Prompt,
        wanted: str,
        given: Mapping[str, Any] | None = None,
        changed: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        loras = {
            title: {"lora_name": "plain.safetensors"}
            for title in ("Distilled LoRA", "Detailer LoRA", "Control LoRA")
        }
        is_guided = any(node["class_type"] == "LTX2Guider" for node in prompt.values())
        is_given = is_guided and not self._is_graph_s
        block = {"Stage 1 guider": {"stg_block": self._stg_block}} if is_given else {}
        return self._graph.run(
            prompt, wanted, self._given | dict(given or {}), loras | block | dict(changed or {})
        )

    @contextmanager
    def _counted(self) -> Iterator[list[int]]:
        """Count the samples that go through the engine's transformer."""
        rows: list[int] = []
        hook = self._model.model.diffusion_model.patchify_proj.register_forward_hook(
            lambda _module, args, _out: rows.append(len(args[0]))
        )
        try:
            yield rows
        finally:
            hook.remove()

    # --- Lightricks' side --------------------------------------------------------------------------

    def _with_lora(self, prompt: Prompt) -> Any:
        """The transformer with the distilled LoRA, if the graph has one."""
        has_one = any(node["_meta"]["title"] == "Distilled LoRA" for node in prompt.values())
        return self._theirs.transformer(*([("plain", self._lora_strength)] if has_one else []))

    def _simple(self, transformer: Any = None) -> Any:
        text = self._positive
        return helpers.simple_denoising_func(
            text.video, text.audio, self._theirs.transformer() if transformer is None else transformer
        )

    def _to_sound(self, video: Any, audio: Any, sigmas: torch.Tensor, step: int) -> Any:
        """A step beside a sound that is frozen: its noise level is 0.

        ltx-pipelines 1.0.0, the newest on the package index, tells the picture the step's own; 1.2.0
        (github.com/Lightricks/LTX-2 at 400fd31) and ComfyUI tell it 0.
        """
        sigma = sigmas[step]
        picture = helpers.modality_from_latent_state(video, self._positive.video, sigma)
        sound = helpers.modality_from_latent_state(audio, self._positive.audio, torch.zeros_like(sigma))
        return self._theirs.transformer()(video=picture, audio=sound, perturbations=None)

    def _guided(
        self,
        video_cfg: float,
        audio_cfg: float,
        *,
        stg: float,
        modality: float,
        rescale: float,
        transformer: Any = None,
    ) -> Any:
        def factory(cfg: float, negative: torch.Tensor) -> Any:
            params = MultiModalGuiderParams(
                cfg_scale=cfg,
                stg_scale=stg,
                stg_blocks=[self._stg_block],
                modality_scale=modality,
                rescale_scale=rescale,
            )
            return create_multimodal_guider_factory(params, negative)

        return helpers.multi_modal_guider_factory_denoising_func(
            factory(video_cfg, self._negative.video),
            factory(audio_cfg, self._negative.audio),
            self._positive.video,
            self._positive.audio,
            self._theirs.transformer() if transformer is None else transformer,
        )

    def _theirs_first(
        self, denoise: Any, sigmas: torch.Tensor, conditionings: list[ConditioningItem] | None = None
    ) -> Latents:
        noise = lightricks.GivenNoise(*self._noise)
        return self._theirs.sample(denoise, sigmas, noise, FIRST, conditionings or [])

    def _theirs_second(
        self, prompt: Prompt, first: Latents, conditionings: list[ConditioningItem] | None = None
    ) -> Latents:
        upscaled = upsample_video(first[0], self._theirs.video_encoder, self._theirs.upscaler("spatial"))
        noise = lightricks.GivenNoise(*self._refining_noise)
        start = upscaled, first[1]
        return self._theirs.sample(
            self._simple(self._with_lora(prompt)), self._refining, noise, FULL, conditionings or [], start
        )

    def _start_image(self, pixels: torch.Tensor, size: Size, strength: float) -> ConditioningItem:
        fitted = torch.nn.functional.interpolate(
            pixels.movedim(-1, 1), (size.height, size.width), mode="bilinear", align_corners=False
        )
        latent = self._theirs.encoded(fitted.movedim(1, -1))
        return VideoConditionByLatentIndex(latent, strength, latent_idx=0)

    def _both(self, name: str, ours: Any, theirs: Latents, limit: float = FLOAT) -> None:
        for which, part, expected in zip(("picture", "sound"), ours, theirs, strict=True):
            self._record.compare(f"{name}: {which}", part["samples"], expected, limit)

"""The models alone, on both sides: text connectors, transformer, LoRA, VAEs, vocoder, upscalers."""

from pathlib import Path
from typing import Any

import comfy.model_management
import torch
from comfy.text_encoders.lt import DualLinearProjection
from ltx_core.model.transformer import Modality
from ltx_core.model.upsampler import upsample_video
from ltx_core.text_encoders.gemma.embeddings_processor import EmbeddingsProcessor
from ltx_core.text_encoders.gemma.feature_extractor import FeatureExtractorV1, FeatureExtractorV2
from ltx_core.tools import AudioLatentTools, VideoLatentTools
from ltx_core.types import AudioLatentShape, VideoLatentShape, VideoPixelShape
from safetensors.torch import load_file

from tests.reference.graph_runner import GraphRunner
from tests.reference.lightricks import Lightricks
from tests.reference.record import Record
from tests.reference.weights import CHECKPOINT, TEXT_WIDTH, UPSCALERS

#: Largest relative difference between two orders of the same 32-bit operations; positions are large numbers.
FLOAT = 1e-5
POSITIONS = 4e-5


def _linear(state: dict[str, torch.Tensor], name: str) -> torch.nn.Linear:
    """A layer with a file's weights."""
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    return layer


class ModelCases:
    """Compares the models of one folder.

    Arguments:
        models: where both sides load from.
        widths: how wide the text is for the picture and for the sound.
    """

    def __init__(
        self,
        models: Path,
        graph: GraphRunner,
        theirs: Lightricks,
        record: Record,
        widths: tuple[int, int],
    ) -> None:
        self._models, self._graph, self._theirs, self._record = models, graph, theirs, record
        self._widths = list(widths)
        self._rng = torch.Generator().manual_seed(1)
        self._model, _, self._vae = graph.call("CheckpointLoaderSimple", ckpt_name=CHECKPOINT.name)

    def _random(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self._rng)

    def run(self) -> None:
        """Compare everything."""
        context = self.text()
        first_frame_held = torch.tensor([0.0, 1, 1, 1]).view(1, 1, 4, 1, 1)
        for name, changes in {
            "24 fps": {},
            "48 fps": {"frames": 49, "fps": 48.0, "sigma": 0.421875},
            "ten seconds": {"frames": 241, "height": 2, "width": 3, "sigma": 1.0},
            "first frame held": {"mask": first_frame_held},
            "first frame held by 0.7": {"mask": first_frame_held.clamp(min=0.3)},
            "picture alone": {"sound": False},
        }.items():
            self.transformer(name, context, **changes)
        self.transformer("LoRA at 0.8", context, lora=0.8)
        self.video_vae()
        self.sound()
        self.upscalers()

    def text(self) -> torch.Tensor:
        """Gemma's layers, normalised, projected, through both connectors; Gemma itself is not run."""
        words, layers = 37, 49
        hidden = self._random(1, 1024, TEXT_WIDTH, layers) * 3 + 0.2
        mask = torch.zeros(1, 1024, dtype=torch.long)
        mask[:, -words:] = 1
        projections = {
            name.split(".")[1]: _linear(state, name.removesuffix(".weight"))
            for state in [load_file(self._models / CHECKPOINT)]
            for name in state
            if name.startswith("text_embedding_projection.") and name.endswith(".weight")
        }
        seen = hidden[:, -words:]
        extractor, features = (self._two_widths if len(projections) > 1 else self._one_width)(
            projections, seen
        )
        processor = EmbeddingsProcessor(
            feature_extractor=extractor,
            video_connector=self._theirs.connector("video"),
            audio_connector=self._theirs.connector("audio"),
        )
        theirs = processor.process_hidden_states(tuple(hidden.unbind(-1)), mask)
        ours = self._model.model.diffusion_model.preprocess_text_embeds(features, unprocessed=True)
        picture, sound = ours.split(self._widths, dim=-1)
        self._record.compare("text for the picture", picture, theirs.video_encoding, FLOAT)
        self._record.compare("text for the sound", sound, theirs.audio_encoding, FLOAT)
        return ours

    @staticmethod
    def _one_width(projections: dict[str, Any], seen: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """Text of one width for both. ComfyUI's own code for it is in its text encoder, behind Gemma."""
        (projection,) = projections.values()
        low, high = seen.amin(dim=(1, 2), keepdim=True), seen.amax(dim=(1, 2), keepdim=True)
        normal = 8.0 * (seen - seen.mean(dim=(1, 2), keepdim=True)) / (high - low + 1e-6)
        features = projection(normal.reshape(1, seen.shape[1], -1))
        return FeatureExtractorV1(projection, is_av=True), features

    @staticmethod
    def _two_widths(projections: dict[str, Any], seen: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """Text of a width for each; ComfyUI's own projection, with the file's weights."""
        video, audio = projections["video_aggregate_embed"], projections["audio_aggregate_embed"]
        ours = DualLinearProjection(
            video.in_features, video.out_features, audio.out_features, operations=torch.nn
        )
        ours.video_aggregate_embed, ours.audio_aggregate_embed = video, audio
        return FeatureExtractorV2(video, TEXT_WIDTH, audio), ours(seen.movedim(-1, 1))

    def transformer(
        self,
        name: str,
        context: torch.Tensor,
        *,
        frames: int = 25,
        height: int = 4,
        width: int = 6,
        fps: float = 24.0,
        sigma: float = 0.7,
        mask: torch.Tensor | None = None,
        sound: bool = True,
        lora: float | None = None,
    ) -> None:
        """One evaluation; sizes in latent cells, mask 1 where a token is as noisy as sigma says."""
        shape = VideoPixelShape(1, frames, height * 32, width * 32, fps)
        video_shape = VideoLatentShape.from_pixel_shape(shape, latent_channels=128)
        audio_shape = AudioLatentShape.from_video_pixel_shape(shape)
        video = self._random(*video_shape.to_torch_shape())
        audio = self._random(*audio_shape.to_torch_shape())
        level = torch.tensor([sigma])
        masks = torch.ones(1, 1, *video.shape[2:]) if mask is None else mask.expand(1, 1, *video.shape[2:])
        components = self._theirs.components
        video_state = VideoLatentTools(components.video_patchifier, video_shape, fps).create_initial_state(
            "cpu", torch.float32, video
        )
        audio_state = AudioLatentTools(components.audio_patchifier, audio_shape).create_initial_state(
            "cpu", torch.float32, audio
        )
        text = context.split(self._widths, dim=-1)
        timesteps = (masks * level).flatten(2).mT
        modalities = (
            Modality(video_state.latent, level, timesteps, video_state.positions, text[0]),
            Modality(
                audio_state.latent,
                level,
                torch.ones(1, audio.shape[2], 1) * level,
                audio_state.positions,
                text[1],
            )
            if sound
            else None,
        )
        loras = [("plain", lora)] if lora else []
        theirs = self._theirs.transformer(*loras).velocity_model(*modalities, None)
        patcher = self._model
        if lora:
            (patcher,) = self._graph.call(
                "LoraLoaderModelOnly", model=patcher, lora_name="plain.safetensors", strength_model=lora
            )
            comfy.model_management.load_models_gpu([patcher])
        options: dict[str, Any] = {} if mask is None else {"denoise_mask": masks.expand(1, 128, -1, -1, -1)}
        ours = patcher.model.diffusion_model(
            [video, audio] if sound else [video],
            ((masks * level).flatten(2).mT if mask is not None else level, level),
            context=context,
            attention_mask=None,
            frame_rate=fps,
            transformer_options={},
            **options,
        )
        pictures = ours[0] if sound else ours
        self._record.compare(f"transformer, {name}: picture", pictures.flatten(2).mT, theirs[0], POSITIONS)
        if sound:
            self._record.compare(
                f"transformer, {name}: sound", ours[1].movedim(1, 2).flatten(2), theirs[1], POSITIONS
            )
        if lora:
            comfy.model_management.unload_all_models()

    def video_vae(self) -> None:
        """Encoding of a clip and of one picture, decoding."""
        pixels = torch.rand(17, 64, 96, 3, generator=self._rng)
        for name, frames in (("17 frames", pixels), ("a picture", pixels[:1])):
            ours, theirs = self._vae.encode(frames), self._theirs.encoded(frames)
            self._record.compare(f"video VAE, {name} encoded", ours, theirs, FLOAT)
        latent = self._random(1, 128, 3, 2, 3)
        theirs = ((self._theirs.video_decoder(latent) + 1) / 2).clamp(0, 1)[0].movedim(0, -1)
        self._record.compare("video VAE, 17 frames decoded", self._vae.decode(latent)[0], theirs, FLOAT)

    def sound(self) -> None:
        """Decoding of the sound to a waveform."""
        latent = self._random(1, 8, 26, 16)
        (vae,) = self._graph.call("LTXVAudioVAELoader", ckpt_name=CHECKPOINT.name)
        (ours,) = self._graph.call("LTXVAudioVAEDecode", samples={"samples": latent}, audio_vae=vae)
        theirs = self._theirs.vocoder(self._theirs.audio_decoder(latent))
        self._record.compare("sound decoded to a waveform", ours["waveform"], theirs, FLOAT)

    def upscalers(self) -> None:
        """Both latent upscalers, through the node that the graphs use."""
        for which, path in UPSCALERS.items():
            (model,) = self._graph.call("LatentUpscaleModelLoader", model_name=path.name)
            latent = self._random(1, 128, 4, 4, 6)
            (ours,) = self._graph.call(
                "LTXVLatentUpsampler", samples={"samples": latent}, upscale_model=model, vae=self._vae
            )
            theirs = upsample_video(latent, self._theirs.video_encoder, self._theirs.upscaler(which))
            self._record.compare(f"{which} upscaler", ours["samples"], theirs, FLOAT)

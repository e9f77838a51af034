"""The models alone, on both sides: text connectors, transformer, LoRA, VAEs, vocoder, upscalers."""

from collections.abc import Mapping
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
from tests.reference.stages import COMPONENTS

#: Largest relative difference between two orders of the same 32-bit operations.
FLOAT = 1e-5
#: The same where tokens have positions, of picture, sound or text: their largest angles are thousands, which
#: 32 bits round in the fourth decimal.
POSITIONS = 4e-5


def _projections(checkpoint: Path) -> list[torch.nn.Linear]:
    """What Gemma's layers go through: one for both, or one for the picture and one for the sound."""
    state = load_file(checkpoint)
    found = []
    for name in ("aggregate_embed", "video_aggregate_embed", "audio_aggregate_embed"):
        weight = state.get(f"text_embedding_projection.{name}.weight")
        bias = state.get(f"text_embedding_projection.{name}.bias")
        if weight is not None:
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
            layer.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
            found.append(layer)
    return found


class ModelCases:
    """Compares the models of one folder.

    Arguments:
        checkpoint: the file that both sides load from.
        upscalers: names of the latent upscalers' files.
        label: what the names of comparisons begin with.
    """

    def __init__(
        self,
        checkpoint: Path,
        upscalers: Mapping[str, str],
        graph: GraphRunner,
        theirs: Lightricks,
        record: Record,
        *,
        label: str = "",
    ) -> None:
        self._checkpoint, self._upscalers, self._label = checkpoint, upscalers, label
        self._graph, self._theirs, self._record = graph, theirs, record
        self._rng = torch.Generator().manual_seed(1)
        self._model, _, self._vae = graph.call("CheckpointLoaderSimple", ckpt_name=checkpoint.name)
        self._projections = _projections(checkpoint)
        widths = [projection.out_features for projection in self._projections]
        self._widths = widths if len(widths) > 1 else 2 * widths

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
        self.video_encoder()
        self.video_decoder()
        self.sound()
        self.upscalers()

    def run_on_tiny(self) -> None:
        """Compare all that ltx-core can load of the project's tiny weights.

        It takes widths that they have not got for granted: 128 channels of the video encoder's first layer,
        and as many of the audio VAE's as its latent has numbers at a time.
        """
        self.transformer("24 fps", self.text())
        self.video_decoder()
        self.vocoder()
        self.upscalers()

    def _compare(self, name: str, ours: torch.Tensor, theirs: torch.Tensor, limit: float = FLOAT) -> None:
        self._record.compare(f"{self._label}{name}", ours, theirs, limit)

    def text(self) -> torch.Tensor:
        """Gemma's layers, normalised, projected, through both connectors; Gemma itself is not run."""
        words, layers = 37, 49
        hidden = self._random(1, 1024, self._projections[0].in_features // layers, layers) * 3 + 0.2
        mask = torch.zeros(1, 1024, dtype=torch.long)
        mask[:, -words:] = 1
        extractor, features = self._features(hidden[:, -words:])
        processor = EmbeddingsProcessor(
            feature_extractor=extractor,
            video_connector=self._theirs.connector("video"),
            audio_connector=self._theirs.connector("audio"),
        )
        theirs = processor.process_hidden_states(tuple(hidden.unbind(-1)), mask)
        ours = self._model.model.diffusion_model.preprocess_text_embeds(features, unprocessed=True)
        picture, sound = ours.split(self._widths, dim=-1)
        self._compare("text for the picture", picture, theirs.video_encoding, POSITIONS)
        self._compare("text for the sound", sound, theirs.audio_encoding, POSITIONS)
        return ours

    def _features(self, seen: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """Lightricks' projection of Gemma's layers, and what ComfyUI's gives for those of the words."""
        if len(self._projections) > 1:
            video, audio = self._projections
            both = DualLinearProjection(
                video.in_features, video.out_features, audio.out_features, operations=torch.nn
            )
            both.video_aggregate_embed, both.audio_aggregate_embed = video, audio
            return FeatureExtractorV2(video, seen.shape[2], audio), both(seen.movedim(-1, 1))
        # ComfyUI's own code for this is in the text encoder (comfy/text_encoders/lt.py), behind Gemma.
        (projection,) = self._projections
        low, high = seen.amin(dim=(1, 2), keepdim=True), seen.amax(dim=(1, 2), keepdim=True)
        normal = 8.0 * (seen - seen.mean(dim=(1, 2), keepdim=True)) / (high - low + 1e-6)
        return FeatureExtractorV1(projection, is_av=True), projection(normal.flatten(2))

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
        components = COMPONENTS
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
        self._compare(f"transformer, {name}: picture", pictures.flatten(2).mT, theirs[0], POSITIONS)
        if sound:
            self._compare(
                f"transformer, {name}: sound", ours[1].movedim(1, 2).flatten(2), theirs[1], POSITIONS
            )
        if lora:
            comfy.model_management.unload_all_models()

    def video_encoder(self) -> None:
        """Encoding of a clip and of one picture."""
        pixels = torch.rand(17, 64, 96, 3, generator=self._rng)
        for name, frames in (("17 frames", pixels), ("a picture", pixels[:1])):
            ours, theirs = self._vae.encode(frames), self._theirs.encoded(frames)
            self._compare(f"video VAE, {name} encoded", ours, theirs, FLOAT)

    def video_decoder(self) -> None:
        """Decoding."""
        latent = self._random(1, 128, 3, 2, 3)
        theirs = ((self._theirs.video_decoder(latent) + 1) / 2).clamp(0, 1)[0].movedim(0, -1)
        self._compare("video VAE, 17 frames decoded", self._vae.decode(latent)[0], theirs, FLOAT)

    def sound(self) -> None:
        """Decoding of the sound to a waveform."""
        latent = self._random(1, 8, 26, 16)
        (vae,) = self._graph.call("LTXVAudioVAELoader", ckpt_name=self._checkpoint.name)
        (ours,) = self._graph.call("LTXVAudioVAEDecode", samples={"samples": latent}, audio_vae=vae)
        theirs = self._theirs.vocoder(self._theirs.audio_decoder(latent))
        self._compare("sound decoded to a waveform", ours["waveform"], theirs, FLOAT)

    def vocoder(self) -> None:
        """A spectrogram to a waveform."""
        spectrogram = self._random(1, 2, 40, 64)
        (vae,) = self._graph.call("LTXVAudioVAELoader", ckpt_name=self._checkpoint.name)
        ours, theirs = vae.first_stage_model.run_vocoder(spectrogram), self._theirs.vocoder(spectrogram)
        self._compare("waveform of a spectrogram", ours, theirs)

    def upscalers(self) -> None:
        """Both latent upscalers, through the node that the graphs use."""
        for which, name in self._upscalers.items():
            (model,) = self._graph.call("LatentUpscaleModelLoader", model_name=name)
            latent = self._random(1, 128, 4, 4, 6)
            (ours,) = self._graph.call(
                "LTXVLatentUpsampler", samples={"samples": latent}, upscale_model=model, vae=self._vae
            )
            # It takes the latent's statistics alone of what it calls the encoder.
            theirs = upsample_video(latent, self._theirs.video_decoder, self._theirs.upscaler(which))
            self._compare(f"{which} upscaler", ours["samples"], theirs, FLOAT)

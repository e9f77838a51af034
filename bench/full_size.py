"""Random weights of full size, by the real models' shapes, for a GPU that has no network.

Run with the engine's Python, from the project's folder:

    python -m bench.full_size COMFYUI_DIR OUT_DIR [FAMILY]      writes one model's, about 55 GB; LTX-2 19B's
    python -m bench.full_size COMFYUI_DIR --sizes               says how large each would be, beside the
                                                                published size

Random weights cost what real ones cost. The modules are ComfyUI's own, built without memory (torch's meta
device) from the published configurations (`local/tiny/configurations/`, `bench/full_size.toml`). Torch and
ComfyUI are imported late: they are there only once the engine's folder is known.
"""

import json
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from local.tiny.configuration import published
from local.tiny.weights import MANIFEST

FACTS = Path(__file__).with_name("full_size.toml")
FIRST_FAMILY = "ltx-2"
#: From the hidden states of Gemma's 48 layers and its embedding to the connectors.
HIDDEN_STATES = 3840 * 49

#: Random numbers are made once, and used again and again: writing shall take the disk's time.
NOISE_VALUES = 1 << 22
#: Standard deviation of a quantised weight before its scale: float8_e4m3fn is exact enough up to 448.
QUANTISED_SPREAD = 60.0


@dataclass(frozen=True)
class Entry:
    """One tensor of a file.

    Arguments:
        spread: standard deviation of its random numbers.
        value: what it is filled with where the spread is 0.
        content: its bytes, where they are neither.
    """

    dtype: str
    shape: tuple[int, ...]
    spread: float = 0.0
    value: float = 0.0
    content: bytes | None = None

    @property
    def bytes(self) -> int:
        """Its size."""
        count = 1
        for side in self.shape:
            count *= side
        return count * {"BF16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1}[self.dtype]


File = tuple[dict[str, Entry], dict[str, str]]


def import_comfyui(folder: Path) -> None:
    """Make ComfyUI's modules importable, as they are."""
    sys.path.insert(0, str(folder))
    sys.argv = [sys.argv[0], "--cpu"]
    import comfy.options  # noqa: PLC0415 - importable from here on

    comfy.options.enable_args_parsing()


def checkpoint(family: str, bf16_blocks: list[int]) -> File:
    """Transformer, both VAEs, vocoder and text projection; most of the transformer's blocks in fp8."""
    import torch  # noqa: PLC0415
    from comfy.ldm.lightricks.vae.audio_vae import AudioVAE  # noqa: PLC0415
    from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE  # noqa: PLC0415

    config = published(family).checkpoint
    metadata = {"config": json.dumps(config)}
    with torch.device("meta"):
        video = VideoVAE(config=config["vae"])
        audio = AudioVAE(metadata=metadata)
    kept = "|".join(map(str, bf16_blocks))
    quantised = re.compile(rf"model\.diffusion_model\.transformer_blocks\.(?!({kept})\.)")
    entries = _entries(_transformer(family), "model.diffusion_model.")
    entries = _quantised(entries, lambda name: quantised.match(name) is not None)
    entries |= _entries(video, "vae.")
    for key, entry in _entries(audio, "").items():
        entries[
            "audio_vae." + key.removeprefix("autoencoder.") if key.startswith("autoencoder.") else key
        ] = entry
    return entries | _text_projection(config["transformer"]), metadata


def _text_projection(transformer: Mapping[str, Any]) -> dict[str, Entry]:
    """To the connectors' one width, or to picture's and sound's."""
    widths = {"aggregate_embed": transformer["caption_channels"]}
    if transformer.get("caption_proj_before_connector"):
        widths = {
            "video_aggregate_embed": transformer["cross_attention_dim"],
            "audio_aggregate_embed": transformer["audio_cross_attention_dim"],
        }
    entries: dict[str, Entry] = {}
    for name, width in widths.items():
        key = f"text_embedding_projection.{name}"
        entries[f"{key}.weight"] = Entry("BF16", (width, HIDDEN_STATES), spread=HIDDEN_STATES**-0.5)
        if len(widths) > 1:
            entries[f"{key}.bias"] = Entry("BF16", (width,))
    return entries


def text_encoder() -> File:
    """Gemma 3 12B, linear layers in fp8; the tiny weights' tokenizer will do, as a prompt has 1024 tokens."""
    import comfy.ops  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from comfy.text_encoders import llama  # noqa: PLC0415

    operations = comfy.ops.disable_weight_init
    entries = _entries(llama.Gemma3_12B({}, torch.bfloat16, "meta", operations), "")
    entries = _quantised(entries, lambda name: name.startswith("model.layers.") and "_proj." in name)
    from local.tiny.ltx import text_encoder as tiny_text_encoder  # noqa: PLC0415

    pieces = tiny_text_encoder()["spiece_model"].numpy().tobytes()
    entries["spiece_model"] = Entry("U8", (len(pieces),), content=pieces)
    return entries, {}


def upscaler(family: str, which: str) -> File:
    """A latent upscaler: "spatial" or "temporal"."""
    import comfy.ops  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from comfy.ldm.lightricks.latent_upsampler import LatentUpsampler  # noqa: PLC0415

    sizes = published(family).upscalers[which]
    with torch.device("meta"):
        module = LatentUpsampler(operations=comfy.ops.disable_weight_init, **sizes)
    return _entries(module, ""), {"config": json.dumps({"_class_name": "LatentUpsampler", **sizes})}


def lora(family: str, rank: int, touches: str) -> File:
    """A LoRA of the rank and on the layers that give the published size."""
    entries: dict[str, Entry] = {}
    for key, entry in _entries(_transformer(family), "").items():
        if key.endswith(".weight") and len(entry.shape) == 2 and re.match(touches, key):
            rows, columns = entry.shape
            base = f"diffusion_model.{key.removesuffix('.weight')}"
            entries[f"{base}.lora_A.weight"] = Entry("BF16", (rank, columns), spread=columns**-0.5)
            entries[f"{base}.lora_B.weight"] = Entry("BF16", (rows, rank), spread=0.1 * rank**-0.5)
    return entries, {}


@cache
def facts() -> dict[str, Any]:
    """What full_size.toml says."""
    return tomllib.loads(FACTS.read_text(encoding="utf-8"))


def made(file_id: str, entry: Mapping[str, Any], fact: Mapping[str, Any]) -> File:
    """A file of files.toml, by its folder, its family and what is known of its content."""
    match entry["folder"], entry.get("families"):
        case "checkpoints", [family]:
            return checkpoint(family, fact["bf16_blocks"])
        case "latent_upscale_models", [family]:
            return upscaler(family, "temporal" if "temporal" in file_id else "spatial")
        case "loras", [family]:
            return lora(family, fact["rank"], fact["touches"])
    return text_encoder()


@cache
def _transformer(family: str) -> Any:
    import comfy.ops  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from comfy.ldm.lightricks.av_model import LTXAVModel  # noqa: PLC0415

    operations = comfy.ops.disable_weight_init
    sizes = published(family).checkpoint["transformer"]
    return LTXAVModel(**sizes, dtype=torch.bfloat16, device="meta", operations=operations)


def _entries(module: Any, prefix: str) -> dict[str, Entry]:
    """Every tensor of a module, in bf16, with random numbers that keep what goes through it finite."""
    entries = {}
    for key, tensor in module.state_dict().items():
        shape = tuple(tensor.shape)
        if len(shape) > 1:
            fan_in = tensor[0].numel()
            entries[prefix + key] = Entry("BF16", shape, spread=fan_in**-0.5)
        else:
            is_factor = key.endswith("weight") or "std-of-means" in key
            entries[prefix + key] = Entry("BF16", shape, value=1.0 if is_factor else 0.0)
    return entries


def _quantised(entries: Mapping[str, Entry], wanted: Callable[[str], bool]) -> dict[str, Entry]:
    """Make linear layers fp8 as ComfyUI's own files have them: weight, scales, and a note of the format."""
    note = json.dumps({"format": "float8_e4m3fn"}).encode()
    result = dict(entries)
    for key, entry in entries.items():
        if not (key.endswith(".weight") and len(entry.shape) == 2 and wanted(key)):
            continue
        layer = key.removesuffix(".weight")
        result[key] = Entry("F8_E4M3", entry.shape, spread=QUANTISED_SPREAD)
        result[f"{layer}.weight_scale"] = Entry("F32", (), value=entry.spread / QUANTISED_SPREAD)
        result[f"{layer}.input_scale"] = Entry("F32", (), value=facts()["input_scale"])
        result[f"{layer}.comfy_quant"] = Entry("U8", (len(note),), content=note)
    return result


def write(path: Path, file: File) -> None:
    """Write a safetensors file piece by piece: the library's own writer wants all of it in memory.

    Source of the format: the README of huggingface/safetensors.
    """
    entries, metadata = file
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    offset = 0
    for key, entry in entries.items():
        span = [offset, offset + entry.bytes]
        header[key] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": span}
        offset += entry.bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for entry in entries.values():
            left = entry.bytes
            piece = memoryview(entry.content or _filling(entry.dtype, entry.spread, entry.value))
            while left > 0:
                left -= out.write(piece[:left])
    partial.replace(path)


@cache
def _filling(dtype: str, spread: float, value: float) -> bytes:
    import torch  # noqa: PLC0415

    kinds = {"BF16": torch.bfloat16, "F32": torch.float32, "F8_E4M3": torch.float8_e4m3fn}
    # A tensor without a spread has one value per channel at most.
    values = _noise() * spread if spread else torch.full((1 << 20,), value)
    return bytes(values.to(kinds[dtype]).view(torch.uint8).numpy().tobytes())


@cache
def _noise() -> Any:
    import torch  # noqa: PLC0415

    return torch.randn(NOISE_VALUES, generator=torch.Generator().manual_seed(0)).clamp(-5, 5)


def main() -> None:
    """Write all files of a family, or say the sizes of all families'."""
    folder, target, *family = sys.argv[1:4]
    import_comfyui(Path(folder))
    listed = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    for file_id, fact in facts()["files"].items():
        entry = listed[file_id]
        is_wanted = set(entry.get("families", family)) <= set(family or [FIRST_FAMILY])
        if not (is_wanted or target == "--sizes"):
            continue
        path = Path(target, entry["folder"], entry["name"])
        if same := fact.get("same_as"):
            if target != "--sizes" and not path.exists():
                path.hardlink_to(path.with_name(listed[same]["name"]))
            continue
        file = made(file_id, entry, fact)
        size = sum(tensor.bytes for tensor in file[0].values())
        told = f"{size / 1e9:.3f} GB in {len(file[0])} tensors; published: {entry['size'] / 1e9:.3f} GB"
        print(f"{file_id}: {told}")
        if target != "--sizes" and not path.exists():
            write(path, file)


if __name__ == "__main__":
    main()

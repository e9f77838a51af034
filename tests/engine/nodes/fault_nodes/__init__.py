"""Custom nodes for ComfyUI that misbehave on demand; loaded only by the engine of the tests."""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
import torch
from comfy.ldm.lightricks.vae import causal_video_autoencoder as video_vae

#: So many bytes a chunk of the decoder's, as small as the pictures here: a video comes in several chunks, as
#: a full-size one does.
video_vae.get_max_chunk_size = lambda device: 512 * 1024

ERRORS: dict[str, Callable[[], Any]] = {
    "gpu_memory": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    # Torch's own, of the host: nobody has so much.
    "host_memory": lambda: torch.empty(1 << 60),
    "device": lambda: RuntimeError("CUDA error: an illegal memory access was encountered"),
    "disk": lambda: OSError(28, "No space left on device"),
    "thread": lambda: SystemExit("ends ComfyUI's worker thread, and nothing else"),
    "other": lambda: RuntimeError("secret.safetensors in /srv/models is broken"),
}


class FaultSteps:
    """Passes an image on after some steps; like a sampler, it tells progress and looks for interrupts."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's interface
        return {
            "required": {
                "image": ("IMAGE",),
                "steps": ("INT", {"min": 1, "max": 100_000}),
                "seconds": ("FLOAT", {"min": 0.0, "max": 600.0}),
                "key": ("STRING", {}),
            }
        }

    def run(self, image: Any, steps: int, seconds: float, key: str) -> tuple[Any]:
        bar = comfy.utils.ProgressBar(steps)
        for _ in range(steps):
            time.sleep(seconds)
            bar.update(1)
        return (image,)


class FaultRaise:
    """Passes an image on, unless its marker file is in the input folder: then raises, and removes the marker.

    Without a marker's name it always raises.
    """

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        return {"required": {"image": ("IMAGE",), "error": (list(ERRORS),), "marker": ("STRING", {})}}

    @classmethod
    def IS_CHANGED(cls, **_: object) -> float:  # noqa: N802
        return time.time()

    def run(self, image: Any, error: str, marker: str) -> tuple[Any]:
        if marker:
            try:
                (Path(folder_paths.get_input_directory()) / marker).unlink()
            except FileNotFoundError:
                return (image,)
        raise ERRORS[error]()


class NoiseLatent:
    """A video latent of noise: what takes no sampling."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        number = ("INT", {"min": 0, "max": 100_000})
        return {"required": {"side": number, "frames": number, "seed": number}}

    def run(self, side: int, frames: int, seed: int) -> tuple[Any]:
        shape = (1, 128, (frames - 1) // 8 + 1, side // 32, side // 32)
        return ({"samples": torch.randn(shape, generator=torch.Generator().manual_seed(seed))},)


class FaultVAE:
    """Passes a VAE on whose pictures are black or not a number; a marker as FaultRaise's."""

    RETURN_TYPES = ("VAE",)
    FUNCTION = "run"
    CATEGORY = "faults"
    FACTORS = {"black": 0.0, "nan": float("nan")}  # noqa: RUF012

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        kinds = (list(cls.FACTORS),)
        return {"required": {"vae": ("VAE",), "picture": kinds, "marker": ("STRING", {})}}

    @classmethod
    def IS_CHANGED(cls, **_: object) -> float:  # noqa: N802
        return time.time()

    def run(self, vae: Any, picture: str, marker: str) -> tuple[Any]:
        if marker:
            try:
                (Path(folder_paths.get_input_directory()) / marker).unlink()
            except FileNotFoundError:
                return (vae,)
        spoilt = copy.copy(vae)
        spoilt.process_output = lambda pixels: vae.process_output(pixels).mul_(self.FACTORS[picture])
        return (spoilt,)


class InChunks:
    """A video VAE's model that decodes in chunks of at most so many bytes, and tells of each."""

    def __init__(self, model: Any, size: int, told: Path) -> None:
        self._model, self._size, self._told = model, size, told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        before = video_vae.get_max_chunk_size
        video_vae.get_max_chunk_size = lambda device: self._size
        if not isinstance(kwargs["output_buffer"], torch.Tensor):
            kwargs["output_buffer"] = Told(kwargs["output_buffer"], self._told)
        try:
            return self._model.decode(*args, **kwargs)
        finally:
            video_vae.get_max_chunk_size = before


class Told:
    """A buffer of a decoder's, that writes how many frames each chunk has into a file, a line a chunk."""

    def __init__(self, buffer: Any, told: Path) -> None:
        self._buffer, self._told = buffer, told

    def __getitem__(self, place: tuple[Any, Any, slice]) -> Any:
        with self._told.open("a") as file:
            file.write(f"{place[2].stop - place[2].start}\n")
        return self._buffer[place]


class DecoderChunks:
    """Passes a VAE on that decodes in chunks of so many bytes; a file of the output folder tells of each."""

    RETURN_TYPES = ("VAE",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        size = ("INT", {"min": 1, "max": 1 << 30})
        return {"required": {"vae": ("VAE",), "size": size, "name": ("STRING", {})}}

    def run(self, vae: Any, size: int, name: str) -> tuple[Any]:
        chunked = copy.copy(vae)
        told = Path(folder_paths.get_output_directory()) / name
        chunked.first_stage_model = InChunks(vae.first_stage_model, size, told)
        return (chunked,)


class NotCopied(torch.Tensor):  # type: ignore[misc]  # no torch where types are checked
    """Decoded pixels; their second frame finds no memory when it is copied off the device."""

    left = 0

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.copy_ and cls.left:
            cls.left -= 1
            if not cls.left:
                raise ERRORS["gpu_memory"]()
        return super().__torch_function__(func, types, args, kwargs or {})


class FaultCopy:
    """Passes a VAE on whose second frame finds no memory to leave the device, once; it removes its marker."""

    RETURN_TYPES = ("VAE",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        return {"required": {"vae": ("VAE",), "marker": ("STRING", {})}}

    @classmethod
    def IS_CHANGED(cls, **_: object) -> float:  # noqa: N802
        return time.time()

    def run(self, vae: Any, marker: str) -> tuple[Any]:
        (Path(folder_paths.get_input_directory()) / marker).unlink()
        NotCopied.left = 2
        spoilt = copy.copy(vae)
        spoilt.process_output = lambda pixels: vae.process_output(pixels).as_subclass(NotCopied)
        return (spoilt,)


class FaultDecoder:
    """Passes a VAE on whose decoder fails once, in its third chunk; a marker as FaultRaise's."""

    RETURN_TYPES = ("VAE",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        return {"required": {"vae": ("VAE",), "error": (list(ERRORS),), "marker": ("STRING", {})}}

    @classmethod
    def IS_CHANGED(cls, **_: object) -> float:  # noqa: N802
        return time.time()

    def run(self, vae: Any, error: str, marker: str) -> tuple[Any]:
        chunks: list[None] = []
        path = Path(folder_paths.get_input_directory()) / marker

        def fail_in_third(*_: object) -> None:
            chunks.append(None)
            if len(chunks) == 3:
                hook.remove()
                path.unlink()
                raise ERRORS[error]()

        if path.exists():
            hook = vae.first_stage_model.decoder.conv_out.register_forward_pre_hook(fail_in_third)
        return (vae,)


class CountModels:
    """Passes an image on, and adds how many models are loaded to a file in the output folder."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "faults"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        return {"required": {"image": ("IMAGE",), "name": ("STRING", {})}}

    @classmethod
    def IS_CHANGED(cls, **_: object) -> float:  # noqa: N802
        return time.time()

    def run(self, image: Any, name: str) -> tuple[Any]:
        with (Path(folder_paths.get_output_directory()) / name).open("a") as file:
            file.write(f"{len(comfy.model_management.loaded_models())}\n")
        return (image,)


NODE_CLASS_MAPPINGS = {
    "CountModels": CountModels,
    "DecoderChunks": DecoderChunks,
    "FaultCopy": FaultCopy,
    "FaultDecoder": FaultDecoder,
    "NoiseLatent": NoiseLatent,
    "FaultVAE": FaultVAE,
    "FaultSteps": FaultSteps,
    "FaultRaise": FaultRaise,
}

"""Memory that the full-size video decoder needs at once, by shape: nothing is computed, and no GPU is needed.

    python -m bench.decode_memory COMFYUI_DIR

Run with the engine's Python. ComfyUI's own decoder is run on tensors without content; every storage that is
alive is counted. A GPU's convolutions take working memory beyond that, which is not seen here.
"""

import sys
from copy import deepcopy
from typing import Any

arguments = sys.argv[1:]
sys.path.insert(0, arguments[0])
sys.argv = [sys.argv[0], "--cpu"]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import torch  # noqa: E402
from comfy.ldm.lightricks.vae import causal_video_autoencoder as video_vae  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402
from torch.multiprocessing.reductions import StorageWeakRef  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from local.tiny.configuration import published  # noqa: E402

CANVASES = {"720p": (1280, 768), "1080p": (1920, 1088)}
FRAMES = (121, 241, 481, 961)
MEGABYTE = 1024**2
#: What `get_max_chunk_size` gives for a device of 6 GB or less, of 24 GB or more, and one in between.
CHUNKS = (32 * MEGABYTE, 64 * MEGABYTE, 128 * MEGABYTE)
CELL, CELL_FRAMES = 32, 8


class _Alive(TorchDispatchMode):  # type: ignore[misc]
    """Counts the bytes of all tensors that are alive while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.peak: int = 0
        self._storages: dict[Any, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        self._storages = {key: each for key, each in self._storages.items() if not each[0].expired()}
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                alive = StorageWeakRef(storage)
                self._storages.setdefault(alive.cdata, (alive, storage.nbytes()))
        self.peak = max(self.peak, sum(size for _, size in self._storages.values()))
        return out


class _Nowhere:
    """An output buffer that keeps nothing, as the worker's node has it."""

    def __getitem__(self, _: object) -> "_Nowhere":
        return self

    def copy_(self, chunk: torch.Tensor) -> None:
        del chunk


def main() -> None:
    """Print a table."""
    torch.set_grad_enabled(False)
    sys.stdout.write("| canvas | frames | chunks of 32 MiB | 64 MiB | 128 MiB | ComfyUI asks for |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    with FakeTensorMode():
        torch.set_default_dtype(torch.bfloat16)
        vae = video_vae.VideoVAE(version=2, config=deepcopy(published("ltx-2").checkpoint["vae"]))
        for name, (width, height) in CANVASES.items():
            for frames in FRAMES:
                latent = torch.empty(1, 128, (frames - 1) // CELL_FRAMES + 1, height // CELL, width // CELL)
                peaks = " | ".join(f"{_peak(vae, latent, chunk) / 1e9:.1f} GB" for chunk in CHUNKS)
                # comfy/sd.py, memory_used_decode of this VAE in 16 bits.
                asked = 1200 * latent[0, 0].numel() * 512 * 2
                sys.stdout.write(f"| {name} | {frames} | {peaks} | {asked / 1e9:.0f} GB |\n")


def _peak(vae: Any, latent: torch.Tensor, chunk: int) -> int:
    video_vae.get_max_chunk_size = lambda _: chunk
    alive = _Alive()
    with alive:
        vae.decode(latent, output_buffer=_Nowhere())
    return alive.peak


if __name__ == "__main__":
    main()

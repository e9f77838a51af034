"""The worker's own nodes: they run inside ComfyUI and import nothing of the worker.

A module is one idea. Each lists its nodes as ComfyUI's custom nodes do, in `NODE_CLASS_MAPPINGS` and
`NODE_DISPLAY_NAME_MAPPINGS`; here they are put together.
"""

from types import ModuleType

from . import depth, detail, guidance, stream, token_noise
from .collector import leave_modules_alone

#: One line a module.
_MODULES: tuple[ModuleType, ...] = (
    depth,
    detail,
    guidance,
    stream,
    token_noise,
)

NODE_CLASS_MAPPINGS: dict[str, type] = {}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {}
for _module in _MODULES:
    NODE_CLASS_MAPPINGS |= _module.NODE_CLASS_MAPPINGS
    NODE_DISPLAY_NAME_MAPPINGS |= _module.NODE_DISPLAY_NAME_MAPPINGS

leave_modules_alone()

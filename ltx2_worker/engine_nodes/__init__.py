"""The worker's own nodes: they run inside ComfyUI and import nothing of the worker.

A module is one idea. Each lists its nodes as ComfyUI's custom nodes do, in `NODE_CLASS_MAPPINGS` and
`NODE_DISPLAY_NAME_MAPPINGS`; here they are put together.
"""

import gc
from types import ModuleType

from . import depth, detail, guidance, hold, levels, sound_memory, stream, text, token_noise

#: One line a module.
_MODULES: tuple[ModuleType, ...] = (
    depth,
    detail,
    guidance,
    hold,
    levels,
    sound_memory,
    stream,
    text,
    token_noise,
)

NODE_CLASS_MAPPINGS: dict[str, type] = {}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {}
for _module in _MODULES:
    NODE_CLASS_MAPPINGS |= _module.NODE_CLASS_MAPPINGS
    NODE_DISPLAY_NAME_MAPPINGS |= _module.NODE_DISPLAY_NAME_MAPPINGS


def _leave_modules_alone() -> None:
    """Freeze all objects that there are, before a model is loaded, for Python's garbage collector.

    ComfyUI collects garbage between two prompts, ten seconds after the last time at the earliest, and looks
    at half a million objects of modules: 0.3 s of processor time in which the next prompt waits. What is made
    later, models among it, is looked at as before.
    """
    gc.collect()
    gc.freeze()


_leave_modules_alone()

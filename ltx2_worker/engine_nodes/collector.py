"""Python's garbage collector is told to leave alone what stays for ever anyway."""

import gc


def leave_modules_alone() -> None:
    """Freeze all objects that there are, before a model is loaded.

    ComfyUI collects garbage between two prompts, ten seconds after the last time at the earliest, and looks
    at half a million objects of modules: 0.3 s of processor time in which the next prompt waits. What is made
    later, models among it, is looked at as before.
    """
    gc.collect()
    gc.freeze()

"""The node that saves a text: what a language model wrote, for the worker to read."""

from pathlib import Path
from typing import Any

import folder_paths


class SaveText:
    """Writes a text into a file of the output folder."""

    CATEGORY = "ltx2"
    DESCRIPTION = "Saves a text as UTF-8."
    FUNCTION = "save"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """The text, and where it goes."""
        prefix = ("STRING", {"default": "text/ltx-2"})
        return {"required": {"text": ("STRING", {"forceInput": True}), "filename_prefix": prefix}}

    @classmethod
    def IS_CHANGED(cls, **_: object) -> float:  # noqa: N802 - ComfyUI's interface
        """Never answered from the cache: the file is what is wanted, and it is somewhere else now."""
        return float("nan")

    def save(self, *, text: str, filename_prefix: str) -> dict[str, Any]:
        """Write the file."""
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        path = Path(folder) / f"{name}_{counter:05}_.txt"
        path.write_text(text, encoding="utf-8", errors="replace")
        return {"ui": {"images": [{"filename": path.name, "subfolder": subfolder, "type": "output"}]}}


NODE_CLASS_MAPPINGS = {"LTX2SaveText": SaveText}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2SaveText": "Save Text"}

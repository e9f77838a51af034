"""Shrinks what ComfyUI's code fixes about the depth, pose and person models: a frame takes milliseconds.

For tests and demonstrations with the tiny weights only, like its neighbour tiny_gemma. Loading, detection of
the model's kind and the nodes themselves stay ComfyUI's.
"""

import functools
from typing import Any

from comfy.ldm.depth_anything_3 import model as depth_anything
from comfy.ldm.depth_anything_3 import preprocess as depth_preprocess
from comfy.ldm.modules.sdpose import HeatmapHead
from comfy.ldm.rt_detr import rtdetr_v4 as detector

NODE_CLASS_MAPPINGS: dict[str, type] = {}

#: Layers of the depth model's backbone; its head reads four of them.
DEPTH_LAYERS = 4

#: The short side at which the depth model looks at a frame, in pixels; a multiple of its patches of 14.
DEPTH_RESOLUTION = 112

#: People the detector can find in one frame. Each costs a pass of the pose model.
PEOPLE = 2


def _fix(cls: Any, **sizes: Any) -> None:
    """Make `cls` take these arguments whatever its caller says."""
    full_init = cls.__init__

    @functools.wraps(full_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        full_init(self, *args, **{**kwargs, **sizes})

    cls.__init__ = init


# "vits" is what ComfyUI takes a backbone for whose tokens are 384 wide.
depth_anything._BACKBONE_PRESETS["vits"]["num_hidden_layers"] = DEPTH_LAYERS
_fix(depth_anything.DepthAnything3Net, out_layers=tuple(range(DEPTH_LAYERS)))

_preprocess_frame = depth_preprocess.preprocess_image


def _preprocess_small(image: Any, process_res: int = 504, **kwargs: Any) -> Any:
    return _preprocess_frame(image, process_res=min(process_res, DEPTH_RESOLUTION), **kwargs)


depth_preprocess.preprocess_image = _preprocess_small

# In, middle and out channels, blocks, halves the size, light, kernel, layers per block.
detector.HGNetv2._STAGE_CFGS = [
    [64, 8, 16, 1, False, False, 3, 1],
    [16, 8, 16, 1, True, False, 3, 1],
    [16, 8, 16, 1, True, True, 5, 1],
    [16, 8, 16, 1, True, True, 5, 1],
]
_fix(detector.HybridEncoder, in_channels=(16, 16, 16))
_fix(detector.DFINETransformer, num_layers=1)
_fix(detector.RTv4, num_queries=PEOPLE, dec_h=32, enc_ff=32, dec_ff=32)

# The pose model looks at frames of 96x128 instead of 768x1024.
_fix(HeatmapHead, input_size=(96, 128), deconv_out_channels=(16,), conv_out_channels=(16,))

"""The tiny depth, pose and person models that control videos are made with. Runs in the engine's Python."""

from typing import Any

import comfy.ops
import torch
from comfy.ldm.depth_anything_3.model import DepthAnything3Net
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.ldm.rt_detr.rtdetr_v4 import RTv4
from comfy.taesd.taesd import TAESD

from local.tiny.random_weights import State, random_state

OPERATIONS = comfy.ops.disable_weight_init

#: Stable Diffusion 2's channels and context width, by which ComfyUI recognises the pose model. Its node reads
#: the features of 640 channels, so the second level stays; the third and fourth are left out.
POSE_UNET: dict[str, Any] = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [1, 0],
    "transformer_depth_output": [0, 0, 0, 0],
    "transformer_depth_middle": -2,
    "num_head_channels": 64,
    "context_dim": 1024,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": True,
    "heatmap_head": True,
}


def depth_model() -> State:
    """Depth Anything 3 with the smallest backbone and head that ComfyUI knows."""
    model = DepthAnything3Net(
        backbone_name="vits",
        head_dim_in=384,
        head_features=16,
        head_out_channels=(8, 8, 16, 16),
        operations=OPERATIONS,
        dtype=torch.float32,
    )
    return random_state(model, "depth model", dtype=torch.float16)


def pose_model() -> State:
    """SDPose: a Stable Diffusion 2 network with a head for keypoints, and the smallest VAE ComfyUI knows."""
    unet = UNetModel(**POSE_UNET, dtype=torch.float32, operations=OPERATIONS)
    state = random_state(unet, "pose model", prefix="model.diffusion_model.", dtype=torch.float16)
    scales = ("vae_scale", "vae_shift")
    state |= random_state(TAESD(), "pose vae", prefix="first_stage_model.", dtype=torch.float16, keep=scales)
    # Every keypoint is found with certainty, so that there is a figure to draw.
    state["model.diffusion_model.heatmap_head.final_layer.bias"].fill_(1.0)
    return state


def person_detector() -> State:
    """RT-DETR, sure that whatever it finds is a person, about half as wide and high as the frame."""
    model = RTv4(enc_h=32, operations=OPERATIONS, dtype=torch.float32)
    constants = ("decoder.up", "decoder.reg_scale")
    state = random_state(model, "person detector", dtype=torch.float16, keep=constants)
    classes = state["decoder.dec_score_head.0.bias"]
    classes.fill_(-8.0)
    classes[0] = 8.0  # COCO's first class is "person"
    for head in ("enc_bbox_head", "pre_bbox_head", "dec_bbox_head.0"):
        state[f"decoder.{head}.layers.2.weight"].zero_()  # boxes stay where and as wide as the bias says
        state[f"decoder.{head}.layers.2.bias"].zero_()
    state["decoder.enc_bbox_head.layers.2.bias"][2:] = 3.0  # width and height, as logits over anchors of 0.05
    return state

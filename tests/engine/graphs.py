"""Small graphs for the real engine, in ComfyUI's API format."""

from typing import Any

Graph = dict[str, Any]

STEPS = "steps"
SAVE = "save"
CHECKPOINT = "ltx-2-19b-distilled-fp8.safetensors"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def video(prefix: str, *, color: int = 0, frames: int = 9, size: int = 64) -> Graph:
    """A plain video: no model, under a second."""
    return {
        "image": node("EmptyImage", width=size, height=size, batch_size=frames, color=color),
        "video": node("CreateVideo", images=["image", 0], fps=24.0),
        SAVE: node("SaveVideo", video=["video", 0], filename_prefix=prefix, format="mp4", codec="h264"),
    }


def stepping(prefix: str, *, steps: int, seconds: float) -> Graph:
    """A video after some steps of so many seconds each, with a look for interrupts between them."""
    graph = video(prefix)
    graph[STEPS] = node("FaultSteps", image=["image", 0], steps=steps, seconds=seconds, key=prefix)
    graph["video"]["inputs"]["images"] = [STEPS, 0]
    return graph


def raising(prefix: str, error: str, marker: str = "") -> Graph:
    """A video whose making fails: always, or as long as the marker file is in the input folder."""
    graph = video(prefix)
    graph["fault"] = node("FaultRaise", image=["image", 0], error=error, marker=marker)
    graph["video"]["inputs"]["images"] = ["fault", 0]
    return graph


def sampled(prefix: str, *, seed: int, steps: int = 8, side: int = 128, frames: int = 9) -> Graph:
    """LTX-2, one stage, picture and sound, with the tiny weights."""
    sigmas = ", ".join(f"{1 - i / steps:.4f}" for i in range(steps + 1))
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "clip": node(
            "LTXAVTextEncoderLoader",
            text_encoder="gemma_3_12B_it_fp4_mixed.safetensors",
            ckpt_name=CHECKPOINT,
            device="default",
        ),
        "avae": node("LTXVAudioVAELoader", ckpt_name=CHECKPOINT),
        "pos": node("CLIPTextEncode", clip=["clip", 0], text="a cat on a cushion"),
        "neg": node("ConditioningZeroOut", conditioning=["pos", 0]),
        "cond": node("LTXVConditioning", positive=["pos", 0], negative=["neg", 0], frame_rate=24),
        "vlat": node("EmptyLTXVLatentVideo", width=side, height=side, length=frames, batch_size=1),
        "alat": node(
            "LTXVEmptyLatentAudio", audio_vae=["avae", 0], frames_number=frames, frame_rate=24, batch_size=1
        ),
        "av": node("LTXVConcatAVLatent", video_latent=["vlat", 0], audio_latent=["alat", 0]),
        "noise": node("RandomNoise", noise_seed=seed),
        "guider": node("CFGGuider", model=["ckpt", 0], positive=["cond", 0], negative=["cond", 1], cfg=1.0),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("ManualSigmas", sigmas=sigmas),
        STEPS: node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            latent_image=["av", 0],
        ),
        "sep": node("LTXVSeparateAVLatent", av_latent=[STEPS, 0]),
        "img": node("VAEDecode", samples=["sep", 0], vae=["ckpt", 2]),
        "aud": node("LTXVAudioVAEDecode", samples=["sep", 1], audio_vae=["avae", 0]),
        "video": node("CreateVideo", images=["img", 0], audio=["aud", 0], fps=24.0),
        SAVE: node("SaveVideo", video=["video", 0], filename_prefix=prefix, format="mp4", codec="h264"),
    }


def stream(prefix: str, address: str = "", **values: Any) -> dict[str, Any]:
    """The node that decodes and encodes at once, by default at the end of `sampled`'s graph."""
    given = {"samples": ["sep", 0], "vae": ["ckpt", 2], "audio": ["aud", 0], "fps": 24.0, "crf": 18.0}
    cut = {"width": 128, "height": 128, "x": 0, "y": 0, "frames": 9}
    inputs = given | cut | {"buffer_mb": 1, "filename_prefix": prefix, "encoder": address} | values
    return node("LTX2DecodeToMP4", **{name: value for name, value in inputs.items() if value is not None})

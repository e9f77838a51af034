"""How long a plan should take: computed from the model's arithmetic, for deadlines, dry runs and progress.

The proportions come from LTX-2's architecture (48 blocks, 4096 wide, about 14 of its 19 billion parameters
in the video stream; Lightricks/LTX-2 model card and configuration). The speed is an assumption for a
data-centre GPU of the H100 class, not a measurement; `progress.StagePace` corrects both from finished jobs.
"""

from ltx2_api.progress import Stage

import math

from .geometry import latent_tokens
from .plan import Plan

VIDEO_PARAMETERS = 14e9
BLOCKS = 48
WIDTH = 4096

#: Sustained operations per second of a GPU of the H100 class with these weights (assumed).
OPERATIONS_PER_SECOND = 350e12

#: Pixels per second through the video VAE's decoder, and through H.264 on the CPU (assumed).
DECODED_PIXELS_PER_SECOND = 60e6
ENCODED_PIXELS_PER_SECOND = 150e6

#: The detailer's steps: the length of its fixed list of sigmas.
DETAILER_STEPS = 3
#: Latent frames that the detailer samples together, and that it shares with the window before. Source:
#: Lightricks' workflow LTX-2_V2V_Detailer.json: 56 and 24 frames.
DETAILER_WINDOW = 7
DETAILER_OVERLAP = 3

#: A deadline leaves room for a slow GPU, a cold cache and one more try.
DEADLINE_FACTOR = 3.0
DEADLINE_FLOOR = 600.0


def stage_seconds(plan: Plan) -> dict[Stage, float]:
    """Seconds that each stage of a plan is expected to take on a warm worker with a free engine."""
    first = latent_tokens(plan.first_canvas, plan.base_frames)
    last = latent_tokens(plan.canvas, plan.generated_frames)
    guides = latent_tokens(plan.first_canvas, plan.base_frames) if plan.control else 0
    pixels = plan.canvas.width * plan.canvas.height * plan.generated_frames
    passes = plan.guidance.passes if plan.guidance else 1
    stages = {
        Stage.PREPARING: 1.0,
        Stage.LOADING: 1.0,
        Stage.PROMPT: 1.5,
        Stage.SAMPLING: plan.steps * passes * _step_seconds(first + guides),
        Stage.DECODING: pixels / DECODED_PIXELS_PER_SECOND,
        Stage.ENCODING: pixels / ENCODED_PIXELS_PER_SECOND,
        Stage.DELIVERING: 2.0,
    }
    if plan.control and not plan.control.preprocessed and plan.control.type != "canny":
        stages[Stage.CONTROL] = 0.2 * plan.base_frames
    if plan.refined:
        stages[Stage.REFINING] = (len(plan.refining_sigmas) - 1) * _step_seconds(last)
    if plan.detailer:
        stages[Stage.DETAILING] = DETAILER_STEPS * _detailer_step_seconds(plan)
    return stages


def deadline_seconds(plan: Plan) -> float:
    """The time within which a plan must be done, from when the engine is free for it."""
    return max(DEADLINE_FLOOR, DEADLINE_FACTOR * sum(stage_seconds(plan).values()))


def _detailer_step_seconds(plan: Plan) -> float:
    """One step in every window: the guide is the window again, twice the tokens."""
    frames = (plan.generated_frames - 1) // 8 + 1
    windows = 1 + max(0, math.ceil((frames - DETAILER_WINDOW) / (DETAILER_WINDOW - DETAILER_OVERLAP)))
    cells = latent_tokens(plan.canvas, plan.generated_frames) // frames
    return windows * _step_seconds(2 * min(frames, DETAILER_WINDOW) * cells)


def _step_seconds(tokens: int) -> float:
    """One evaluation of the transformer: its weights once per token, and attention between all tokens."""
    linear = 2 * VIDEO_PARAMETERS * tokens
    attention = 4 * BLOCKS * WIDTH * tokens**2
    return (linear + attention) / OPERATIONS_PER_SECOND

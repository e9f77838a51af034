"""How long a plan should take: computed from the model's arithmetic, for deadlines, dry runs and progress.

The proportions come from LTX-2's architecture (48 blocks, 4096 wide, about 14 of its 19 billion parameters
in the video stream; Lightricks/LTX-2 model card and configuration). The speed is an assumption for a
data-centre GPU of the H100 class, not a measurement; `progress.StagePace` corrects both from finished jobs.
"""

from ltx2_api.progress import Stage

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
        # The guide is the whole video again: twice the tokens, and one more decode.
        stages[Stage.DETAILING] = DETAILER_STEPS * _step_seconds(2 * last) + stages[Stage.DECODING]
    return stages


def deadline_seconds(plan: Plan) -> float:
    """The time within which a plan must be done, from when the engine is free for it."""
    return max(DEADLINE_FLOOR, DEADLINE_FACTOR * sum(stage_seconds(plan).values()))


def _step_seconds(tokens: int) -> float:
    """One evaluation of the transformer: its weights once per token, and attention between all tokens."""
    linear = 2 * VIDEO_PARAMETERS * tokens
    attention = 4 * BLOCKS * WIDTH * tokens**2
    return (linear + attention) / OPERATIONS_PER_SECOND

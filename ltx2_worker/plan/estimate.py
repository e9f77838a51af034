"""How long a plan should take: computed from the model's arithmetic, for deadlines, dry runs and progress.

The proportions come from the family's architecture, which its table states. The speed is an assumption for a
data-centre GPU of the H100 class, not a measurement; `progress.StageSpeed` corrects both from finished jobs.
"""

import math

from ltx2_api.progress import Stage

from ..catalog.tables import Arithmetic
from .geometry import latent_tokens
from .plan import Plan

#: Sustained operations per second of a GPU of the H100 class with these weights (assumed).
OPERATIONS_PER_SECOND = 350e12

#: Pixels per second through H.264 on the CPU (assumed).
ENCODED_PIXELS_PER_SECOND = 150e6
#: Pixels of frames that may wait for the encoder (LTX2_ENCODE_BUFFER_BYTES, by default).
WAITING_PIXELS = 500e6 / 3
#: What remains once the last frame is encoded: the sound, its loudness, the index (assumed).
CLOSING_SECONDS = 1.0

#: 512 tokens of a language model of 12 billion parameters in 4 bits, bound by memory (assumed).
ENHANCING_SECONDS = 8.0

#: A file of a caller's is fetched and fitted (assumed; two at a time).
FILE_SECONDS = 1.0

#: A deadline leaves room for a slow GPU, a cold cache and one more try.
DEADLINE_FACTOR = 3.0
DEADLINE_FLOOR = 600.0


def stage_seconds(plan: Plan) -> dict[Stage, float]:
    """Seconds that each stage of a plan is expected to take on a warm worker with a free engine."""
    family, model = plan.family, plan.family.arithmetic
    first = latent_tokens(plan.first_canvas, plan.base_frames, family.latent)
    last = latent_tokens(plan.canvas, plan.generated_frames, family.latent)
    guides = first if plan.control else 0
    guides += len(plan.keyframes) * latent_tokens(plan.first_canvas, 1, family.latent)
    last += len(plan.keyframes) * latent_tokens(plan.canvas, 1, family.latent)
    decoding, encoding = _decoding_and_encoding(plan)
    stages = {
        Stage.PREPARING: 1.0 + FILE_SECONDS * sum(plan.media.values()),
        Stage.LOADING: 1.0,
        Stage.PROMPT: 1.5 + (ENHANCING_SECONDS if plan.enhances else 0.0),
        Stage.SAMPLING: plan.steps * plan.passes * _step_seconds(first + guides, model),
        Stage.DECODING: decoding,
        Stage.ENCODING: encoding,
        Stage.DELIVERING: 2.0,
    }
    if plan.control and not plan.control.preprocessed and plan.control.seconds_per_frame:
        frames = plan.base_frames if plan.control.has_video else 1
        stages[Stage.CONTROL] = plan.control.seconds_per_frame * frames
    if plan.refined:
        stages[Stage.REFINING] = (len(plan.refining_sigmas) - 1) * _step_seconds(last, model)
    if plan.detailer:
        stages[Stage.DETAILING] = _detailer_seconds(plan)
    return stages


def deadline_seconds(plan: Plan) -> float:
    """The time within which a plan must be done, from when the engine is free for it."""
    return max(DEADLINE_FLOOR, DEADLINE_FACTOR * sum(stage_seconds(plan).values()))


def _decoding_and_encoding(plan: Plan) -> tuple[float, float]:
    """Seconds until the encoder, which works meanwhile, has all frames; then until the file is closed."""
    decoded = plan.canvas.width * plan.canvas.height * plan.generated_frames
    decoder = decoded / plan.family.arithmetic.decoded_pixels_per_second
    encoder = plan.delivered.width * plan.delivered.height * plan.frames / ENCODED_PIXELS_PER_SECOND
    behind = min(max(0.0, encoder - decoder), WAITING_PIXELS / ENCODED_PIXELS_PER_SECOND)
    return max(decoder, encoder - behind), behind + CLOSING_SECONDS


def _detailer_seconds(plan: Plan) -> float:
    """Every step in every window: the guide is the window again, twice the tokens."""
    latent, detailing = plan.family.latent, plan.family.detailing
    if detailing is None:
        return 0.0
    frames = (plan.generated_frames - 1) // latent.frames + 1
    further = math.ceil((frames - detailing.window) / (detailing.window - detailing.overlap))
    cells = latent_tokens(plan.canvas, plan.generated_frames, latent) // frames
    tokens = 2 * min(frames, detailing.window) * cells
    step = (1 + max(0, further)) * _step_seconds(tokens, plan.family.arithmetic)
    return detailing.steps * step


def _step_seconds(tokens: int, model: Arithmetic) -> float:
    """One evaluation of the transformer: its weights once per token, and attention between all tokens."""
    linear = 2 * model.parameters * tokens
    attention = 4 * model.blocks * model.width * tokens**2
    return (linear + attention) / OPERATIONS_PER_SECOND

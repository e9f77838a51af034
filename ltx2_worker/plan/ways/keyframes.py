"""Keyframes: guides at frames of the video, in both stages, besides the start image that is frame 0.

Source: ltx-pipelines 1.2.0, `combined_image_conditionings`: the first picture in place, all others as guides.
"""

from dataclasses import replace

from ltx2_api.job import JobInput

from ...catalog.inputs import Feature
from ..parts import KeyframePlan
from ..plan import Plan
from ..refusals import no_such_field


def planned(job: JobInput, plan: Plan) -> Plan:
    """Add a guide for each keyframe, and one for the end image at the last frame that is delivered.

    The generated video has surplus frames behind that one: a guide at its own end would fall on a frame that
    is cut off.
    """
    if job.keyframes is None and not job.has_end_image:
        return plan
    if not plan.recipe.offers(Feature.KEYFRAMES):
        raise no_such_field("keyframes" if job.keyframes else "end_image_url", plan.recipe)
    last = plan.seconds * plan.base_fps - 1
    # A preview is shorter than the video: what is seen at half of the one is seen at half of the other.
    scale = plan.seconds / job.duration
    wanted = [
        (min(last, round(frame.at * scale * plan.base_fps)), frame.strength) for frame in job.keyframes or ()
    ]
    if job.has_end_image:
        wanted.append((last, job.end_image_strength))
    default = plan.family.keyframe_strength
    guides = (KeyframePlan(at, default if given is None else given) for at, given in wanted)
    return replace(plan, keyframes=tuple(guides))

"""Restyling: the first stage starts from a source's latents and some noise, instead of from noise alone.

What is kept of the source is 1 - strength of it (flow matching: x = (1 - sigma) * source + sigma * noise).
The sound shares its sigmas with the picture, and an empty one would be read as a quiet one; so it is held.
"""

from dataclasses import replace

from ltx2_api.job import JobInput

from ...catalog.inputs import Feature
from ..parts import HeldSound, HeldVideo
from ..plan import Plan
from ..refusals import no_such_field


def planned(job: JobInput, plan: Plan) -> Plan:
    """Start from the source; hold its sound, if no other is given."""
    if job.restyle is None:
        return plan
    if not (plan.recipe.offers(Feature.HELD_VIDEO) and plan.recipe.offers(Feature.START_LEVEL)):
        raise no_such_field("restyle", plan.recipe)
    latent = plan.family.latent
    everything = (plan.base_frames - 1) // latent.frames + 1
    sound = plan.held_sound or HeldSound(begins=0.0, new_from=0, new_to=0, is_heard=True)
    return replace(
        plan,
        held_video=HeldVideo(at=0, lead=0, new_from=0, new_to=everything, in_both_stages=False),
        held_sound=sound if plan.audio else None,
        start_level=job.restyle.strength,
    )

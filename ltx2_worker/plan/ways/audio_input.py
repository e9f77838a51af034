"""Sound that is given: its latents are held through both stages, and its samples are what the file plays.

Source: ltx-pipelines 1.0.0, `a2vid_two_stage.py`, which freezes the sound in both stages and returns it as it
came.
"""

from dataclasses import replace

from ltx2_api.job import JobInput

from ...catalog.inputs import Feature
from ..parts import HeldSound
from ..plan import Plan
from ..refusals import no_such_field


def planned(job: JobInput, plan: Plan) -> Plan:
    """Hold all of the sound."""
    if not job.has_sound:
        return plan
    if not plan.recipe.offers(Feature.HELD_SOUND):
        raise no_such_field("audio_url" if job.audio_url is not None else "audio_base64", plan.recipe)
    return replace(plan, held_sound=HeldSound(begins=0.0, new_from=0, new_to=0, is_heard=True))

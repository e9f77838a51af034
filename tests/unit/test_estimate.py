"""The seconds that a plan should take."""

from dataclasses import replace

import pytest

from ltx2_api.job import JobInput
from ltx2_api.progress import Stage
from ltx2_worker.plan import Plan, make_plan
from ltx2_worker.plan.estimate import CLOSING_SECONDS, ENCODED_PIXELS_PER_SECOND, stage_seconds


def plan_with_decoder(pixels_per_second: float) -> Plan:
    plan = make_plan(JobInput.parse({"prompt": "a cat"})[0], installed=lambda _: True)
    arithmetic = plan.family.arithmetic.model_copy(update={"decoded_pixels_per_second": pixels_per_second})
    family = replace(plan.family, arithmetic=arithmetic)
    return replace(plan, recipe=replace(plan.recipe, family=family))


@pytest.mark.parametrize("pixels_per_second", [ENCODED_PIXELS_PER_SECOND / 3, ENCODED_PIXELS_PER_SECOND * 3])
def test_encoding_goes_on_beside_decoding_and_only_its_rest_is_waited_for(pixels_per_second: float) -> None:
    plan = plan_with_decoder(pixels_per_second)
    stages = stage_seconds(plan)
    decoder = plan.canvas.width * plan.canvas.height * plan.generated_frames / pixels_per_second
    encoder = plan.delivered.width * plan.delivered.height * plan.frames / ENCODED_PIXELS_PER_SECOND
    together = stages[Stage.DECODING] + stages[Stage.ENCODING]
    assert together == pytest.approx(max(decoder, encoder) + CLOSING_SECONDS)
    # A decoder that is faster waits for room in the buffer; it is through before the encoder all the same.
    assert (stages[Stage.ENCODING] > CLOSING_SECONDS) == (decoder < encoder)

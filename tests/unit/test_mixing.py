"""Nothing that was made for one generation of the model ever meets what was made for another.

LoRAs and latent upscalers of one generation fit the weights of another by their shapes: the engine would
apply them without a word.
"""

import itertools
import re
from pathlib import Path

import pytest

from ltx2_api.job import JobInput
from ltx2_worker.catalog.catalogue import FOLDER, WORKFLOWS, catalogue, load_catalogue
from ltx2_worker.catalog.family import Family
from ltx2_worker.catalog.files import ModelFile, manifest
from ltx2_worker.plan import Plan, by_recipe, make_plan
from ltx2_worker.workflow import Output, build, stand_ins
from ltx2_worker.workflow.graph import as_link

FAMILIES = catalogue().families
EACH = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
IMAGE = {"image_url": "https://example.org/file"}


def everything(_: ModelFile) -> bool:
    return True


def named_ids(family: Family) -> list[ModelFile]:
    """The files of the family's own that its table names."""
    words = set(re.findall(r'"(\w+)"', (FOLDER / f"{family.name}.toml").read_text()))
    return [file for file in manifest().values() if file.id in words and family.name in file.families]


@EACH
def test_no_file_of_another_generation_can_take_the_place_of_one(tmp_path: Path, family: Family) -> None:
    text = (FOLDER / f"{family.name}.toml").read_text()
    tried = 0
    for own, other in itertools.product(named_ids(family), manifest().values()):
        if other.folder != own.folder or other.made_for(family.name):
            continue
        (tmp_path / f"{family.name}.toml").write_text(text.replace(f'"{own.id}"', f'"{other.id}"'))
        with pytest.raises(ValueError, match=f"{other.id} was made for"):
            load_catalogue(tmp_path, WORKFLOWS, manifest())
        tried += 1
    assert tried >= len(named_ids(family))


def test_every_lora_checkpoint_and_upscaler_belongs_to_a_generation() -> None:
    free = {file.folder for file in manifest().values() if not file.families}
    assert free.isdisjoint({"loras", "latent_upscale_models"})
    assert {
        file.id for file in manifest().values() if file.folder == "checkpoints" and not file.families
    } == {"pose_model"}


def richest(family: Family) -> Plan:
    """A job with everything that the family has."""
    control = {"control": {"type": next(iter(family.controls)), "video_url": "https://example.org/file"}}
    camera = {"camera": next(iter(family.cameras))}
    switches = {"temporal_upscaler": True}
    job, _ = JobInput.parse({"prompt": "a cat", "model": family.name} | IMAGE | control | camera | switches)
    return make_plan(job, installed=everything)


@EACH
def test_a_job_loads_what_was_made_for_its_own_generation(family: Family) -> None:
    assert all(file.made_for(family.name) for file in richest(family).files.values())


@EACH
def test_another_generation_s_loaders_are_named_with_its_own_files_and_connected_to_nothing(
    family: Family,
) -> None:
    plan = richest(family)
    others = [recipe for recipe in catalogue().recipes if recipe.family is not family]
    for recipe in others:
        other = by_recipe(plan, recipe, everything)
        assert all(file.made_for(recipe.family.name) for file in other.files.values())
        assert (other.camera, other.control, other.sentence) == (None, None, "")
        prompt = build(plan, stand_ins(plan), Output(18.0), resident=[other]).prompt
        resident = {key for key in prompt if key.startswith("resident-")}
        assert resident
        for key, node in prompt.items():
            links = {link[0] for value in node["inputs"].values() if (link := as_link(value))}
            assert (links <= resident) if key in resident else links.isdisjoint(resident)

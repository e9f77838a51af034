"""The catalogue is checked when it is loaded: tables, graphs and files speak of the same things."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.catalog.catalogue import FOLDER, WORKFLOWS, catalogue, load_catalogue
from ltx2_worker.catalog.files import ModelLibrary, manifest
from ltx2_worker.deadline import Deadline
from ltx2_worker.plan import by_recipe
from ltx2_worker.preflight import judge
from ltx2_worker.workflow import least_files
from tests.unit.test_build import plan_of

TABLE = (FOLDER / "ltx-2.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('prompt = ["Prompt.text"]', 'prompt = ["Promt.text"]', "no recipe has a value Promt.text"),
        ('prompt = ["Prompt.text"]', 'prompt = ["Prompt.clip"]', "no recipe has a value Prompt.clip"),
        ('prompt = ["Prompt.text"]', 'prompt = ["Prompt"]', "Node title.input"),
        ('prompt = ["Prompt.text"]\n', "", "has no input for prompt"),
        ('seed_3 = ["Detailer noise.noise_seed"]\n', "", "has no input for seed_3"),
        ('steps = ["Stage 1 sigmas.steps"]\n', "", "recipes.pro: its graph has no input for steps"),
        ('prompt = ["Prompt.text"]', 'prompts = ["Prompt.text"]', "slots.prompts"),
        ('camera = ["Camera LoRA"]', 'camera = ["Camera"]', "features.camera: no recipe has a node Camera"),
        (
            'refining = ["Temporal upscaler", ',
            'refining = ["Upscaler", ',
            "stages.refining: no recipe has a node Upscaler",
        ),
        ('pose = "Pose skeletons"', 'pose = "Poses"', "choices.structure: no recipe has a node Poses"),
        (', pose = "Pose skeletons"', "", "choices.structure: no node for pose"),
        (
            'sound = "first stage"',
            'sound = "third stage"',
            "recipes.pro.sound: choices.sound has no node for third stage",
        ),
        ('file = "detailer"', 'file = "detailr"', "files.toml has no detailr"),
        ('file = "detailer"\n', "", "its graph loads detailer, and no file is named for it"),
        ('full = "checkpoint_pro_full"', 'bf16 = "checkpoint_pro_full"', "there is no precision bf16"),
        (', full = "checkpoint_pro_full"', "", "a precision is missing"),
        ('files.distilled_lora = "distilled_lora"', 'files.lora = "distilled_lora"', "there is no role lora"),
        ('named_by = "checkpoint"', 'named_by = "model"', "there is no role 'model'"),
        ('workflow = "pro.json"', 'workflow = "best.json"', "best.json"),
        ('into = ["Detailer LoRA.lora_name"]', 'into = ["Camera LoRA.lora_name"]', "no role stands for it"),
        ("cell = 32", "cell = 0", "latent.cell"),
        ("steps = 8", "steps = 8\npasses = 3", "passes"),
        ("[detailing]", "[detailing_]", "detailing_"),
        ("[slots]", '[cameras]\nstatic = "It stands."\n[slots]', "cameras: files.toml has a LoRA for static"),
        ("[slots]", '[instead]\ndetail = "none"\n[slots]', "instead: a job has no field detail"),
    ],
)
def test_a_mistake_in_a_family_s_table_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in TABLE
    (tmp_path / "ltx-2.toml").write_text(TABLE.replace(old, new, 1))
    with pytest.raises(ValueError, match=r"ltx-2\.toml") as caught:
        load_catalogue(tmp_path, WORKFLOWS, manifest())
    assert complaint in str(caught.value)


def other_family(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A family with LTX-2's table and graphs, one of them changed."""
    (tmp_path / "other.toml").write_text(TABLE)
    shutil.copytree(WORKFLOWS / "ltx-2", tmp_path / "other")
    path = tmp_path / "other" / "fast.json"
    graph = json.loads(path.read_text())
    change(graph)
    path.write_text(json.dumps(graph))


def test_no_family_can_name_what_was_made_for_another(tmp_path: Path) -> None:
    other_family(tmp_path, lambda _: None)
    with pytest.raises(ValueError, match="detailer was made for ltx-2") as caught:
        load_catalogue(tmp_path, tmp_path, manifest())
    assert "text_encoder was made for" not in str(caught.value)


def test_two_nodes_of_one_title_are_refused(tmp_path: Path) -> None:
    other_family(tmp_path, lambda graph: graph.update({"99": graph["1"]}))
    with pytest.raises(ValueError, match=r"recipes\.fast: two nodes of its workflow share a title"):
        load_catalogue(tmp_path, tmp_path, manifest())


def names(recipe: str) -> set[str]:
    found = catalogue().recipe("ltx-2", recipe)
    assert found
    return {file.id for file in least_files(found, "fp8", lambda _: True)}


def test_a_recipe_cannot_do_without_the_files_of_its_plainest_job() -> None:
    assert names("fast") == {"checkpoint_fast", "text_encoder"}
    assert names("pro") == {"checkpoint_pro", "text_encoder"}


def test_a_job_by_another_recipe_has_that_recipe_s_files_and_the_same_numbers() -> None:
    plan = plan_of(camera="jib_up", precision="full")
    other = by_recipe(plan, catalogue().recipes[1], lambda _: True)
    assert (other.quality, other.checkpoint.id) == ("pro", "checkpoint_pro_full")
    assert (other.camera, other.canvas, other.seed) == (plan.camera, plan.canvas, plan.seed)


class Engine:
    """Stands for an engine of another version: it has the nodes that it is given."""

    def __init__(self, *lacking: str) -> None:
        used = {name for recipe in catalogue().recipes for name in recipe.node_classes}
        self._nodes = dict.fromkeys(used - set(lacking))

    def object_info(self, _: Deadline) -> dict[str, Any]:
        return self._nodes

    def device(self) -> None:
        return None


def library_with(folder: Path, *ids: str) -> ModelLibrary:
    for file_id in ids:
        path = folder / manifest()[file_id].relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")
    return ModelLibrary([folder])


BOTH = ("checkpoint_fast", "checkpoint_pro", "text_encoder")


@pytest.mark.parametrize(
    ("installed", "lacking", "fit"),
    [
        (BOTH, (), ["ltx-2 fast", "ltx-2 pro"]),
        (("checkpoint_pro", "text_encoder"), (), ["ltx-2 pro"]),
        (("checkpoint_fast_full", "text_encoder"), (), ["ltx-2 fast"]),
        (BOTH, ("LTXVScheduler",), ["ltx-2 fast"]),
        (("checkpoint_2_3", "text_encoder"), (), ["ltx-2.3 pro"]),
        (("checkpoint_2_3", "distilled_lora_2_3", "text_encoder"), (), ["ltx-2.3 fast", "ltx-2.3 pro"]),
    ],
)
def test_a_worker_is_fit_for_the_recipes_whose_files_and_nodes_it_has(
    tmp_path: Path, installed: tuple[str, ...], lacking: tuple[str, ...], fit: list[str]
) -> None:
    verdict = judge(Engine(*lacking), library_with(tmp_path, *installed))  # type: ignore[arg-type]
    assert [f"{recipe.family.name} {recipe.name}" for recipe in verdict.fit] == fit
    assert verdict.unfit is None


def test_a_worker_is_fit_for_no_model_that_it_does_not_offer(tmp_path: Path) -> None:
    library = library_with(tmp_path, *BOTH, "checkpoint_2_3")
    verdict = judge(Engine(), library, ["ltx-2.3"])  # type: ignore[arg-type]
    assert [(recipe.family.name, recipe.name) for recipe in verdict.fit] == [("ltx-2.3", "pro")]


def test_a_recipe_whose_nodes_the_engine_lacks_is_refused_and_no_other(
    tmp_path: Path,
) -> None:
    verdict = judge(Engine("LTXVScheduler"), library_with(tmp_path, *BOTH))  # type: ignore[arg-type]
    fast, pro, *_ = catalogue().recipes
    verdict.require(fast)
    with pytest.raises(WorkerError) as caught:
        verdict.require(pro)
    assert (caught.value.code, caught.value.field) == (ErrorCode.MODEL_NOT_INSTALLED, "quality")
    assert "cannot run quality pro" in caught.value.message


def test_a_worker_without_any_recipe_s_nodes_or_files_is_unfit(tmp_path: Path) -> None:
    lacking = judge(Engine("KSamplerSelect"), library_with(tmp_path / "full", *BOTH))  # type: ignore[arg-type]
    assert lacking.unfit == "the engine lacks the nodes KSamplerSelect"
    empty = judge(Engine(), ModelLibrary([tmp_path / "empty"]))  # type: ignore[arg-type]
    assert empty.unfit is not None
    assert all(f"{model} pro needs" in empty.unfit for model in ("ltx-2", "ltx-2.3"))

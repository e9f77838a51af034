"""What an endpoint offers: models and ways, by the setting LTX2_OFFER and by the files that are here."""

import pytest
from pydantic import ValidationError

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput
from ltx2_api.names import NAMES
from ltx2_api.ways import NAMES_OF_WAYS
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.files import ModelFile
from ltx2_worker.offer import Offer
from ltx2_worker.plan import make_plan
from ltx2_worker.settings import Settings
from ltx2_worker.workflow import require_installed

MODELS = tuple(NAMES.families)
FIRST = MODELS[0]


@pytest.mark.parametrize(
    ("setting", "models", "ways"),
    [
        ("", MODELS, ()),
        ("all", MODELS, NAMES_OF_WAYS),
        (FIRST, (FIRST,), ()),
        (f" {FIRST} , all", (FIRST,), NAMES_OF_WAYS),
    ],
)
def test_the_setting_names_models_and_ways(
    monkeypatch: pytest.MonkeyPatch, setting: str, models: tuple[str, ...], ways: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LTX2_OFFER", setting)
    assert Offer.of(Settings().offer) == Offer(models, ways)


@pytest.mark.parametrize("setting", ["ltx-1", "ltx-2,", "everything"])
def test_what_cannot_be_offered_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("LTX2_OFFER", setting)
    with pytest.raises(ValidationError, match=rf"is none of all, {FIRST}"):
        Settings()


def test_a_model_that_is_not_offered_is_refused_with_what_is() -> None:
    job, _ = JobInput.parse({"prompt": "a cat", "model": FIRST})

    def everything(_: ModelFile) -> bool:
        return True

    assert make_plan(job, installed=everything, offered=[FIRST]).family.name == FIRST
    with pytest.raises(WorkerError) as refused:
        make_plan(job, installed=everything, offered=tuple(NAMES.families)[1:])
    assert (refused.value.code, refused.value.field) == (ErrorCode.MODEL_NOT_INSTALLED, "model")


def test_a_job_without_a_model_gets_the_first_that_is_installed() -> None:
    first, second = catalogue().families[:2]
    job, _ = JobInput.parse({"prompt": "a cat"})
    only_second = make_plan(job, installed=lambda file: second.name in file.families)
    both = make_plan(job, installed=lambda file: bool(file.families))
    neither = make_plan(job, installed=lambda _: False)
    assert [plan.family for plan in (only_second, both, neither)] == [second, first, first]


def test_a_model_without_files_is_refused_with_what_there_is_instead() -> None:
    first, second = catalogue().families[:2]

    def installed(file: ModelFile) -> bool:
        return second.name not in file.families

    job, _ = JobInput.parse({"prompt": "a cat", "model": second.name})
    plan = make_plan(job, installed=installed)
    with pytest.raises(WorkerError) as refused:
        require_installed(plan, installed, [first.name])
    assert (refused.value.code, refused.value.field) == (ErrorCode.MODEL_NOT_INSTALLED, "model")
    assert f"ask for {first.name}." in refused.value.message

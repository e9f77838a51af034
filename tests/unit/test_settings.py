"""The operator's settings: where they lead, and what is wrong with them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ltx2_worker.settings import Settings, unknown_variables, variable


def test_paths_mean_the_same_wherever_a_process_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTX2_WORK_DIR", "scratch")
    monkeypatch.setenv("LTX2_MODELS_DIRS", "models:~/more")
    settings = Settings()
    assert settings.work_dir == Path.cwd() / "scratch"
    assert settings.models_dirs == (Path.cwd() / "models", Path.home() / "more")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LTX2_ENGINE_ARGS", "--x 'y"),
        ("LTX2_JOB_TIMEOUT", "inf"),
        ("LTX2_EXECUTION_TIMEOUT", "20"),
        ("LTX2_VIDEO_CRF", "52"),
        ("LTX2_JOBS_IN_HAND", "3"),
    ],
)
def test_a_wrong_value_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_mistyped_variable_is_noticed() -> None:
    assert unknown_variables({"LTX2_DEFAULT_CAMRA": "none", "LTX2_WARMUP": "fast", "PATH": "/"}) == [
        "LTX2_DEFAULT_CAMRA"
    ]
    assert variable("bucket_name") == "BUCKET_NAME"
    assert variable("work_dir") == "LTX2_WORK_DIR"

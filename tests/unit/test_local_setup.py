"""What the set-up decides before it starts: is it there, is it right, is it complete."""

import io
import os
import re
import tarfile
import tomllib
from pathlib import Path

import pytest

from local import comfyui, environments, locks, setup, uv, weights
from local.environments import Environment
from local.places import REQUIREMENTS, ROOT, digest, is_stamped, put_stamp
from local.problem import Problem
from local.tiny.weights import listed


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(environments, "HOME", tmp_path)
    for name in ("pins.lock", "wider.lock"):
        (tmp_path / name).write_text(f"runpod==1.12.0 # {name}\n")
    made = Environment("handler", tmp_path / "pins.lock", 1, wider=tmp_path / "wider.lock")
    made.python.parent.mkdir(parents=True)
    made.python.touch()
    return made


def test_an_environment_without_a_stamp_was_interrupted_and_is_not_ready(environment: Environment) -> None:
    assert not environment.is_ready()


def test_a_finished_environment_is_ready(environment: Environment) -> None:
    environment.finish()
    assert environment.is_ready()


def test_an_environment_is_made_again_when_its_lock_changes(environment: Environment, tmp_path: Path) -> None:
    environment.finish()
    (tmp_path / "pins.lock").write_text("runpod==1.13.0\n")
    assert not environment.is_ready()


def test_an_environment_made_from_a_wider_lock_serves_too_and_not_the_other_way(
    environment: Environment, tmp_path: Path
) -> None:
    wider = Environment("handler", tmp_path / "wider.lock", 1)
    wider.finish()
    assert environment.is_ready()
    environment.finish()
    assert not wider.is_ready()


def test_an_environment_is_made_again_for_another_python(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.finish()
    monkeypatch.setattr("sys.version", "3.99")
    assert not environment.is_ready()


def test_an_environment_whose_python_is_gone_is_made_again(environment: Environment) -> None:
    environment.finish()
    environment.python.unlink()
    assert not environment.is_ready()


@pytest.mark.parametrize(
    ("modules", "can"),
    [
        ({"venv", "ensurepip"}, True),
        ({"venv", "pip"}, True),
        ({"venv"}, False),
        ({"ensurepip", "pip"}, False),
    ],
)
def test_a_python_without_venv_or_any_pip_is_recognised(modules: set[str], can: bool) -> None:
    assert uv.can_make_environments(modules.__contains__) is can


def test_a_stamp_tells_contents_apart_not_names(tmp_path: Path) -> None:
    for name, text in {"a": "1", "b": "1", "c": "2"}.items():
        (tmp_path / name).write_text(text)
    assert digest([tmp_path / "a"]) == digest([tmp_path / "b"]) != digest([tmp_path / "c"])
    assert digest([tmp_path / "a"], "3.11") != digest([tmp_path / "a"], "3.12")


def test_a_stamp_of_something_else_does_not_count(tmp_path: Path) -> None:
    put_stamp(tmp_path, "old")
    assert is_stamped(tmp_path, "old")
    assert not is_stamped(tmp_path, "new")
    assert not is_stamped(tmp_path / "missing", "old")


def test_a_disk_that_is_too_small_is_refused_before_anything_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "HOME", tmp_path)
    setup.check_disk(0)
    with pytest.raises(Problem, match=r"takes 1000000\.0 GB of disk and .* free some space"):
        setup.check_disk(1_000_000_000)


def _comfyui(folder: Path, version: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "comfyui_version.py").write_text(f'# generated\n__version__ = "{version}"\n')
    return folder


def test_an_existing_comfyui_of_the_right_version_is_taken(tmp_path: Path) -> None:
    assert comfyui.check(_comfyui(tmp_path, comfyui.wanted_version())) == tmp_path.resolve()


def test_an_existing_comfyui_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"is 0\.29\.1 and this worker needs .*: check out its tag"):
        comfyui.check(_comfyui(tmp_path, "0.29.1"))


def test_a_folder_that_is_no_comfyui_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"is not ComfyUI's folder"):
        comfyui.check(tmp_path)


def test_only_the_server_is_unpacked_from_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "source.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("p-1/setup.py", "p-1/vendor/ComfyUI/main.py", "p-1/vendor/ComfyUI/comfy/ops.py"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"pass"))
    comfyui.unpack(archive, tmp_path / "out")
    files = {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.py")}
    assert files == {"main.py", "comfy/ops.py"}


@pytest.fixture
def real_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(weights, "SMALLEST_REAL", 10)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "ltx-2-19b-distilled-fp8.safetensors").write_bytes(b"0" * 10)
    return tmp_path


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "has_gpu", lambda: True)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "has_gpu", lambda: False)


@pytest.mark.usefixtures("gpu")
def test_real_weights_run_on_the_gpu_without_the_nodes_that_shrink_models(real_weights: Path) -> None:
    chosen = weights.choose((real_weights,), insist=True)
    assert chosen == weights.Weights("gpu", (real_weights.resolve(),), None)


@pytest.mark.usefixtures("no_gpu")
def test_real_weights_without_a_gpu_are_refused_when_named_and_passed_over_when_not(
    real_weights: Path,
) -> None:
    assert weights.choose((real_weights,), insist=False) is weights.TINY_WEIGHTS
    with pytest.raises(Problem, match="need an NVIDIA GPU"):
        weights.choose((real_weights,), insist=True)


@pytest.mark.usefixtures("gpu")
def test_a_named_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="has no LTX-2 checkpoint"):
        weights.choose((tmp_path,), insist=True)
    assert weights.choose((), insist=False) is weights.TINY_WEIGHTS


@pytest.mark.usefixtures("gpu")
def test_tiny_weights_are_never_taken_for_real_ones(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "ltx-2-19b-dev-fp8.safetensors").write_bytes(b"0" * 4_000_000)
    assert weights.choose((tmp_path,), insist=False) is weights.TINY_WEIGHTS


@pytest.mark.parametrize("name", locks.WIDER)
def test_every_direct_package_is_pinned_and_its_lock_agrees(name: str) -> None:
    assert _pins(f"{name}.txt") <= _pins(f"{name}.lock")


@pytest.mark.parametrize("name", locks.WIDER)
def test_every_locked_package_has_hashes_and_no_lock_names_a_host(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.lock").read_text()
    packages = re.findall(r"^\w.*?(?=^\w|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(packages) == len(_pins(f"{name}.lock"))
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text


@pytest.mark.parametrize(("name", "wider"), [pair for pair in locks.WIDER.items() if pair[1]])
def test_a_wider_lock_has_the_same_versions(name: str, wider: str) -> None:
    assert _pins(f"{name}.lock") < _pins(f"{wider}.lock")


def test_every_lock_of_the_project_is_written_by_the_lock_command() -> None:
    assert {file.stem for file in REQUIREMENTS.glob("*.lock")} == set(locks.WIDER)


def _pins(name: str) -> set[tuple[str, str]]:
    """The packages of a requirements or lock file and their versions, those of included files too."""
    pins: set[tuple[str, str]] = set()
    for line in (REQUIREMENTS / name).read_text().splitlines():
        if line.startswith("-r "):
            pins |= _pins(line.removeprefix("-r ").split("#")[0].strip())
        elif match := re.match(r"([\w.-]+)(?:\[.*?\])?==([^\s;\\]+)", line):
            pins.add((re.sub(r"[-_.]+", "-", match[1]).lower(), match[2]))
        else:
            assert not re.match(r"\w", line), f"not pinned: {line}"
    assert pins
    return pins


def test_uv_is_told_what_pip_is_configured_with() -> None:
    configuration = (
        ":env:.index-url='https://mine.example/simple'\n"
        "global.index-url='https://other.example/simple'\n"
        "install.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'\n"
        "global.timeout='60'\n"
    )
    options = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
    told = uv.from_pip(configuration, options, {"UV_SYSTEM_CERTS": "0"})
    assert told == {
        "UV_DEFAULT_INDEX": "https://mine.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_a_variable_of_uvs_own_wins_over_pips_configuration() -> None:
    told = uv.from_pip(
        "global.index-url='https://x.example'", {"index-url": "UV_DEFAULT_INDEX"}, {"UV_DEFAULT_INDEX": ""}
    )
    assert "UV_DEFAULT_INDEX" not in told


def test_uvs_cache_is_ours_only_where_the_users_own_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uv.cache({"HOME": str(tmp_path)}, tmp_path) == {}
    assert uv.cache({"UV_CACHE_DIR": "/elsewhere"}, tmp_path) == {}
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert uv.cache({"HOME": str(tmp_path)}, tmp_path) == {"UV_CACHE_DIR": str(tmp_path / "uv-cache")}


def test_tiny_weights_are_made_of_every_file_but_what_is_for_full_precision_alone() -> None:
    manifest = tomllib.loads((ROOT / "ltx2_worker" / "catalog" / "files.toml").read_text())
    manifest.pop("sets")
    left_out = manifest.keys() - listed().keys()
    assert left_out
    assert all(file_id.endswith("_full") for file_id in left_out)


def test_ci_runs_the_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ['cd "$(dirname "${BASH_SOURCE[0]}")/.." && exec python3 -m local test']
    assert os.access(ROOT / ".ci" / "run", os.X_OK)

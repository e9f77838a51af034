"""The commands before and around the set-up: arguments, sentences, what the worker is started with."""

import ast
import base64
import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local import browser, commands
from local.__main__ import wrong_python
from local.commands import check_port, engine_environment, main, read_job, stage_job
from local.places import ROOT
from local.problem import Problem
from local.weights import TINY_NODES, TINY_WEIGHTS, Weights
from local.work_folder import take_work_folder


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 14, 8)])
def test_a_python_that_the_pins_are_made_for_is_accepted(version: tuple[int, ...]) -> None:
    assert wrong_python(version) == ""


@pytest.mark.parametrize("version", [(3, 8, 18), (3, 10, 2), (3, 15, 0), (2, 7, 18)])
def test_another_python_gets_one_sentence(version: tuple[int, ...]) -> None:
    sentence = wrong_python(version, which=lambda _: None)
    assert sentence.startswith(f"This needs Python 3.11 to 3.14, and this is {version[0]}.{version[1]}")
    assert sentence.endswith("install one of these.")


def test_the_sentence_names_a_python_that_is_there() -> None:
    sentence = wrong_python(
        (3, 10), which=lambda name: "/usr/bin/python3.12" if name == "python3.12" else None
    )
    assert sentence.endswith("run the same command with python3.12.")


@pytest.mark.parametrize("file", ["__init__.py", "__main__.py"])
def test_old_pythons_can_read_far_enough_to_print_the_sentence(file: str) -> None:
    assert ast.parse((ROOT / "local" / file).read_text(), feature_version=(3, 8)).body


@pytest.mark.parametrize(
    "arguments",
    [[], ["make"], ["run", "--inptu", "x"], ["run", "--in", "x"], ["serve", "--port", "high"]],
)
def test_arguments_that_mean_nothing_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fleet", "bench", "test", "lock"])
def test_a_command_hands_on_what_it_does_not_know(command: str) -> None:
    _, rest = commands._parser().parse_known_args([command, "--per-hour", "160"])
    assert rest == ["--per-hour", "160"]


def test_the_simulation_s_own_help_is_what_fleet_shows() -> None:
    _, rest = commands._parser().parse_known_args(["fleet", "--help"])
    assert rest == ["--help"]


def test_a_problem_is_one_sentence_and_status_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--input", str(tmp_path / "none.json")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot be read" in error


def _nothing_to_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "set_up", lambda *_, **__: Path("/comfyui"))
    monkeypatch.setattr(browser, "find", lambda: browser.Browser(Path("/chromium")))


def test_without_a_browser_the_tests_run_and_the_sentence_says_which_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seen: list[str] = []

    def tool(arguments: tuple[str, ...], _: object) -> int:
        seen.append(arguments[0])
        return 0

    monkeypatch.setattr(commands, "set_up", lambda *_, **__: Path("/comfyui"))
    monkeypatch.setattr(commands, "_tool", tool)
    monkeypatch.setenv("PATH", str(tmp_path))  # neither a browser nor what brings one
    monkeypatch.setattr(browser, "FOLDER", tmp_path)
    assert main(["test"]) == 0
    assert seen[-1] == "pytest"
    assert browser.MISSING in capsys.readouterr().err


def test_a_browser_that_is_not_the_one_of_the_project_is_refused() -> None:
    right = base64.b64encode(hashlib.sha512(b"browser").digest()).decode()
    browser.check(b"browser", right)
    with pytest.raises(Problem, match="do not use what came"):
        browser.check(b"another", right)


def test_a_browser_is_the_named_one_or_the_first_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("chromium", "google-chrome"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = browser.find()
    assert found is not None
    assert found.program == tmp_path / "chromium"
    monkeypatch.setenv(browser.VARIABLE, str(tmp_path / "google-chrome"))
    named = browser.find()
    assert named is not None
    assert named.program == tmp_path / "google-chrome"


def test_pytest_gets_the_options_that_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ...]] = []

    def tool(arguments: tuple[str, ...], _: object) -> int:
        seen.append(tuple(arguments))
        return 0

    _nothing_to_bring(monkeypatch)
    monkeypatch.setattr(commands, "_tool", tool)
    assert main(["test", "-k", "plan", "--maxfail=1"]) == 0
    assert seen == [*commands._CHECKS, ("pytest", *commands._SIDE_BY_SIDE, "-k", "plan", "--maxfail=1")]


def test_a_fault_that_the_linter_finds_fails_the_test_command_after_the_tests_ran(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def tool(arguments: tuple[str, ...], _: object) -> int:
        seen.append(arguments[0])
        return int(arguments[0] == "ruff")

    _nothing_to_bring(monkeypatch)
    monkeypatch.setattr(commands, "_tool", tool)
    assert main(["test"]) == 1
    assert seen[-1] == "pytest"


def test_settings_of_another_deployment_do_not_reach_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    def tool(_: object, environment: dict[str, str]) -> int:
        seen.append(environment)
        return 0

    _nothing_to_bring(monkeypatch)
    monkeypatch.setattr(commands, "_tool", tool)
    for name in ("BUCKET_NAME", "RUNPOD_POD_ID", "LTX2_VIDEO_CRF", "AWS_PROFILE"):
        monkeypatch.setenv(name, "theirs")
    assert main(["test"]) == 0
    assert all("theirs" not in environment.values() for environment in seen)


def test_tiny_weights_bring_their_nodes_and_real_ones_do_not() -> None:
    tiny = engine_environment(Path("/comfyui"), Path("/python"), TINY_WEIGHTS)
    real = engine_environment(Path("/comfyui"), Path("/python"), Weights("gpu", (Path("/a"), Path("/b"))))
    assert tiny["LTX2_ENGINE_DEVICE"] == "cpu"
    assert tiny["LTX2_ENGINE_NODES_DIR"] == str(TINY_NODES)
    assert real["LTX2_ENGINE_DEVICE"] == "gpu"
    assert real["LTX2_MODELS_DIRS"] == "/a:/b"
    assert "LTX2_ENGINE_NODES_DIR" not in real


def test_a_job_of_any_size_is_put_where_the_sdk_looks(tmp_path: Path) -> None:
    job = {"input": {"prompt": "a cat", "image_base64": "A" * 300_000}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    folder = stage_job(read_job(tmp_path / "job.json"), tmp_path)
    assert json.loads((folder / "test_input.json").read_text()) == job


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"input": "a cat"}'])
def test_a_file_that_is_no_job_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(Problem, match=r"is not JSON|is no job"):
        read_job(tmp_path / "job.json")


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Problem, match=f"Port {port} cannot be used .*--port"):
            check_port(port)
    with pytest.raises(Problem, match="out of range"):
        check_port(70_000)


def test_workers_that_run_at_once_have_a_folder_each_and_a_folder_is_taken_again(tmp_path: Path) -> None:
    taking = (
        "import pathlib, sys; from local.work_folder import take_work_folder;"
        "print(take_work_folder(pathlib.Path(sys.argv[1])).name, flush=True); sys.stdin.read()"
    )

    def worker() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", taking, str(tmp_path)]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def taken(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    with worker() as first, worker() as second:
        assert {taken(first), taken(second)} == {"1", "2"}
        first.kill()
        first.wait()
        second.kill()
    with worker() as third:
        assert taken(third) == "1"
        third.kill()


def test_a_work_folder_stays_taken_when_the_process_becomes_another_program(tmp_path: Path) -> None:
    becoming = (
        "import os, pathlib, sys; from local.work_folder import take_work_folder;"
        "take_work_folder(pathlib.Path(sys.argv[1]));"
        "os.execv(sys.executable, [sys.executable, '-c', 'print(1, flush=True); input()'])"
    )
    command = [sys.executable, "-c", becoming, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"1\n"
        assert take_work_folder(tmp_path).name == "2"
        worker.kill()


def test_the_commands_start_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "local"), "run", "--input", "none.json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert (
        ended.stderr == "none.json cannot be read (No such file or directory): name a JSON file with a job.\n"
    )

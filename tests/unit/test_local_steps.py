"""The programs of the set-up: what they say becomes a sentence, and none outlives another that failed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local import steps
from local.problem import Problem
from local.steps import Program, Steps, explain, latest_news


@pytest.mark.parametrize(
    ("log", "advice"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "do not use what came"),
        (
            "error: Failed to download `einops==0.8.2`\n  cause: Hash mismatch for `einops==0.8.2`",
            "do not use",
        ),
        ("OSError: [Errno 28] No space left on device", "free some space"),
        (
            "error: Failed to install: boto3-1.44.5-py3-none-any.whl (boto3==1.44.5)\n"
            "  cause: Failed to copy to `x`: No space left on device (os error 28)",
            "free some space",
        ),
        ("NameResolutionError: Temporary failure in name resolution", "check the network"),
        (
            "error: Failed to fetch: `http://127.0.0.1:9/simple/aiohttp/`\n  cause: client error (Connect)\n"
            "  cause: tcp connect error\n  cause: Connection refused (os error 111)",
            "check the network",
        ),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError'\n"
            "ERROR: No matching distribution found for uv==0.13.9",
            "check the network",
        ),
        ("ERROR: No matching distribution found for uv==0.13.9", "has no uv==0.13.9 for this Python"),
        (
            "  cause: Because there is no version of einops==99.0 and you require einops==99.0, we",
            "has no einops==99.0 for this Python",
        ),
        (
            "  cause: Because triton==3.6.0 has no wheels with a matching platform tag (e.g.,",
            "has no triton==3.6.0 for this Python",
        ),
        ("PermissionError: [Errno 13] Permission denied", "check who owns"),
        ("error: Failed to initialize cache\n  cause: Permission denied (os error 13)", "check who owns"),
        ("Segmentation fault", "the last lines of some.log say why"),
    ],
)
def test_what_fails_in_uv_or_pip_becomes_advice(log: str, advice: str) -> None:
    sentence = explain("Installing", log, "some.log")
    assert advice in sentence
    assert "some.log" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("log", "news"),
    [
        ("", "working"),
        ("Resolved 103 packages in 373ms\n", "working"),
        ("Downloading torch (506.0MiB)\nDownloading av (34.1MiB)\n Downloaded av\n", "downloading torch"),
        (
            "".join(f"Downloading {name} (9.0MiB)\n" for name in ("a", "b", "c", "d", "e")),
            "downloading a, b, c and 2 more",
        ),
        (
            "Downloading av (34.1MiB)\n Downloaded av\nPrepared 103 packages in 20.39s\n",
            "installing 103 packages",
        ),
    ],
)
def test_what_uv_is_doing_is_read_from_its_log(log: str, news: str) -> None:
    assert latest_news(log) == news


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(steps, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(steps, "TEMPORARY", tmp_path / "tmp")
    return tmp_path


def program(code: str, name: str = "it") -> Program:
    return Program(name, "Making it", [sys.executable, "-c", code])


def test_a_step_that_fails_names_its_log(folders: Path) -> None:
    with pytest.raises(Problem, match=r"Making it failed, and the last lines of .*it\.log say why"):
        Steps().run(program("raise SystemExit('no luck')"))
    assert "no luck" in (folders / "logs" / "it.log").read_text()


def test_a_step_that_fails_ends_the_one_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def remembered(*args: object, **kwargs: object) -> "subprocess.Popen[bytes]":
        started.append(popen(*args, **kwargs))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remembered)
    with pytest.raises(Problem, match="Making it failed"):
        Steps().run(program("import signal; signal.pause()", "long"), program("raise SystemExit(1)", "short"))
    assert [process.returncode is None for process in started] == [False, False]


def test_steps_side_by_side_all_end(folders: Path) -> None:
    Steps().run(program("print('a')", "a"), program("print('b')", "b"))
    assert [(folders / "logs" / f"{name}.log").read_text() for name in ("a", "b")] == ["a\n", "b\n"]


def test_a_step_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "STEP_TIMEOUT", 0.0)
    with pytest.raises(Problem, match=r"it was given up after an hour; .*it\.log says"):
        Steps().run(program("import signal; signal.pause()"))


def test_a_long_step_says_that_it_is_alive(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "SILENCE", 0.0)
    Steps().run(program("import time; time.sleep(0.5)"))
    assert re.search(r"^\[ +0 s\] it: working$", capsys.readouterr().out, re.MULTILINE)


def test_a_step_is_not_led_astray_by_another_environment(
    monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.fspath(folders))
    Steps(variables={"UV_INDEX": "ours"}).run(
        program("import os; print('PYTHONPATH' in os.environ, os.environ['UV_INDEX'])")
    )
    assert (folders / "logs" / "it.log").read_text().strip() == "False ours"

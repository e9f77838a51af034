"""The command as a person and a script use it: processes of their own, signals, exit statuses."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.runpod import LOST_REPLY, Emulator, Job, Route, Script, refused, slow
from ltx2_api.errors import ErrorCode
from ltx2_api.job import JobInput
from ltx2_client import Journal
from ltx2_client.cli.exits import Exit
from ltx2_client.cli.flags import PRESETS
from ltx2_client.cli.main import main
from ltx2_client.submitting import check
from tests.client.conftest import KEY, VIDEO
from tests.client.outputs import failed_output

ROOT = Path(__file__).parents[2]
#: A busy machine starts a process slowly.
SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Ltx2 = Callable[..., Ended]


@pytest.fixture
def environment(runpod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """What `ltx2` reads, also in processes of its own."""
    variables = {
        "LTX2_API_URL": runpod.base_url,
        "LTX2_ENDPOINT_ID": "ltx2",
        "RUNPOD_API_KEY": KEY,
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return dict(os.environ)


@pytest.fixture
def ltx2(
    environment: Mapping[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Ltx2:
    """Run the command in this process, to its end."""

    def run(*arguments: str, stdin: str = "", **changes: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdin", io.StringIO(stdin))
            for name, value in changes.items():
                patch.setenv(name, value)
            capsys.readouterr()
            try:
                status = main(arguments)
            except SystemExit as end:
                status = int(end.code or 0)
        return Ended(status, *capsys.readouterr())

    return run


@contextmanager
def running(
    environment: Mapping[str, str], folder: Path, *arguments: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run the command beside the test; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ltx2_client", *arguments],
        env=dict(environment),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def wait_asked(runpod: Emulator, route: Route) -> None:
    """Return once a request of this kind has come in."""

    def asked() -> bool:
        return any(request.route is route for request in list(runpod.platform.requests))

    runpod.wait_for(asked, f"a request for {route}", SECONDS)


def one_job(runpod: Emulator) -> Job:
    runpod.wait_for(lambda: runpod.jobs, "a job is submitted", SECONDS)
    (job,) = runpod.jobs.values()
    return job


def test_run_makes_a_video_and_prints_where_it_lies(
    runpod: Emulator, ltx2: Ltx2, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    done = ltx2("run", "A kite.", "--preview", "--format", "text", "--out", "kite.mp4")
    assert (done.returncode, done.stdout) == (Exit.OK, "kite.mp4\n"), done.stderr
    assert (tmp_path / "kite.mp4").read_bytes() == VIDEO


def test_piped_the_result_is_one_line_of_json(ltx2: Ltx2, deliver: Callable[..., None]) -> None:
    deliver()
    done = ltx2("run", "-", "--preview", "--events", stdin="A kite.\n")
    result = json.loads(done.stdout)
    assert Path(result["file"]).name == f"{result['job_id']}.mp4"
    assert {json.loads(line)["event"] for line in done.stderr.splitlines()} >= {"Done", "Downloading"}


def test_every_field_of_a_job_is_a_flag(runpod: Emulator, ltx2: Ltx2, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    flags = "--quality pro --steps 25 --camera dolly_in --no-audio --seed 3 --duration 20 --image a.jpg"
    control = "--control-type depth --control-video https://example.com/c.mp4 --control-strength 0.5"
    done = ltx2("submit", "A kite.", "--request-id", "r", *flags.split(), *control.split())
    assert done.returncode == Exit.OK, done.stderr
    assert one_job(runpod).input == {
        "prompt": "A kite.",
        "quality": "pro",
        "steps": 25,
        "camera": "dolly_in",
        "audio": False,
        "seed": 3,
        "duration": 20,
        "image_base64": "cGljdHVyZQ==",
        "request_id": "r",
        "control": {"type": "depth", "video_url": "https://example.com/c.mp4", "strength": 0.5},
    }
    told = ltx2("run", "--help").stdout
    for name in JobInput.model_fields:
        if name not in {"prompt", "dry_run"} and not name.endswith("_base64"):
            assert f"--{name.replace('_', '-')}" in told


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_job_that_keeps_to_the_contract(name: str) -> None:
    check({"prompt": "A kite.", **PRESETS[name]})


def test_a_flag_goes_before_a_file_and_a_file_before_a_preset(
    runpod: Emulator, ltx2: Ltx2, tmp_path: Path
) -> None:
    job = {"input": {"prompt": "A kite.", "resolution": "720p", "seed": 1}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    ltx2("submit", "--input", "job.json", "--preset", "best", "--seed", "2", "--request-id", "r")
    assert one_job(runpod).input == {
        "prompt": "A kite.",
        "quality": "pro",
        "resolution": "720p",
        "steps": 40,
        "seed": 2,
        "request_id": "r",
    }


def test_killed_right_after_the_submit_the_job_is_listed_and_watch_finishes_it(
    runpod: Emulator,
    environment: Mapping[str, str],
    ltx2: Ltx2,
    deliver: Callable[..., None],
    tmp_path: Path,
) -> None:
    with running(environment, tmp_path, "run", "A kite.", "--preview", "--out", "kite.mp4") as process:
        wait_asked(runpod, Route.STATUS)
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
    job = one_job(runpod)
    (listed,) = json.loads(ltx2("jobs").stdout)
    assert (listed["job_id"], listed["state"]) == (job.id, "submitted")
    deliver()
    done = ltx2("watch", "last")
    assert done.returncode == Exit.OK, done.stderr
    assert (tmp_path / "kite.mp4").read_bytes() == VIDEO
    assert len(runpod.seen(Route.RUN)) == 1
    (listed,) = json.loads(ltx2("jobs").stdout)
    assert listed["state"] == "done"


def test_ctrl_c_leaves_the_job_and_prints_the_command_that_goes_on(
    runpod: Emulator,
    environment: Mapping[str, str],
    deliver: Callable[..., None],
    tmp_path: Path,
) -> None:
    arguments = ("run", "A kite.", "--preview", "--out", "kite.mp4", "--format", "text")
    with running(environment, tmp_path, *arguments) as process:
        wait_asked(runpod, Route.STATUS)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == Exit.DETACHED
    assert not runpod.seen(Route.CANCEL)
    found = re.search(r"ltx2 (watch .*)", said)
    assert found, said
    deliver()
    with running(environment, tmp_path, *found[1].split()) as process:
        assert process.wait(SECONDS) == Exit.OK
    assert (tmp_path / "kite.mp4").read_bytes() == VIDEO
    assert len(runpod.seen(Route.RUN)) == 1


def test_a_second_ctrl_c_cancels_the_job(
    runpod: Emulator, environment: Mapping[str, str], tmp_path: Path
) -> None:
    arguments = ("run", "A kite.", "--preview", "--format", "text")
    with running(environment, tmp_path, *arguments) as process:
        wait_asked(runpod, Route.STATUS)
        process.send_signal(signal.SIGINT)
        assert process.stderr
        for line in process.stderr:
            if "Ctrl-C again" in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == Exit.CANCELLED
    assert one_job(runpod).status == "CANCELLED"


def test_ctrl_c_in_the_middle_of_a_submit_waits_for_the_id(
    runpod: Emulator, environment: Mapping[str, str], journal: Journal, tmp_path: Path
) -> None:
    runpod.inject(Route.RUN, slow(1.5))
    with running(environment, tmp_path, "run", "A kite.", "--preview", "--format", "text") as process:
        wait_asked(runpod, Route.RUN)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == Exit.DETACHED
    assert [entry.job_id for entry in journal.entries()] == [one_job(runpod).id]


def test_a_batch_killed_in_the_middle_makes_only_the_rest(
    runpod: Emulator,
    environment: Mapping[str, str],
    ltx2: Ltx2,
    deliver: Callable[..., None],
    tmp_path: Path,
) -> None:
    deliver(seconds=2.0, workers=1)
    story = [{"name": f"s{n}", "prompt": f"Scene {n}."} for n in range(5)]
    content = {"defaults": {"preview": True}, "scenes": story}
    (tmp_path / "story.json").write_text(json.dumps(content))
    manifest = tmp_path / "story" / "manifest.json"

    def states() -> list[str]:
        takes = json.loads(manifest.read_text())["takes"] if manifest.exists() else {}
        return sorted(take["state"] for take in takes.values())

    arguments = ("batch", "story.json", "--yes", "--at-once", "1")
    with running(environment, tmp_path, *arguments) as process:
        runpod.wait_for(lambda: states() == [*["done"] * 3, "submitted"], "three scenes are there", SECONDS)
        process.send_signal(signal.SIGKILL)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "story").glob("*.mp4")}
    done = ltx2(*arguments)
    assert done.returncode == Exit.OK, done.stderr
    takes = json.loads(done.stdout)["takes"]
    assert all((tmp_path / take["file"]).read_bytes() == VIDEO for take in takes)
    # A scene that was submitted when the process died is resumed; in no case is one submitted twice.
    assert sorted(request.body["input"]["prompt"] for request in runpod.seen(Route.RUN)) == [
        f"Scene {n}." for n in range(5)
    ]
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "story").glob("*.mp4")}
    assert {name: now[name] for name in kept} == kept


def test_a_batch_is_not_begun_without_a_yes_or_beyond_its_budget(
    runpod: Emulator, ltx2: Ltx2, tmp_path: Path
) -> None:
    (tmp_path / "story.json").write_text(json.dumps([{"name": "a", "prompt": "A."}]))
    assert "30 credits" in ltx2("batch", "story.json").stderr
    assert ltx2("batch", "story.json", "--yes", "--max-credits", "29").returncode == Exit.OVER_BUDGET
    assert json.loads(ltx2("batch", "story.json", "--plan").stdout)["credits"] == 30
    assert not runpod.seen(Route.RUN)


def test_preview_first_makes_the_same_job_small_and_then_the_real_one(
    runpod: Emulator, ltx2: Ltx2, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    done = ltx2("run", "A kite.", "--preview-first", "--yes", "--out", "kite.mp4", "--duration", "15")
    assert done.returncode == Exit.OK, done.stderr
    first, second = (request.body["input"] for request in runpod.seen(Route.RUN))
    assert first["preview"] is True and "preview" not in second
    assert (first["seed"], first["prompt"]) == (second["seed"], second["prompt"])
    assert {path.name for path in tmp_path.glob("*.mp4")} == {"kite.mp4", "kite.preview.mp4"}


def test_files_that_a_job_names_are_sent_along(runpod: Emulator, ltx2: Ltx2, tmp_path: Path) -> None:
    (tmp_path / "story").mkdir()
    for name in ("boat.mp4", "dusk.png"):
        (tmp_path / "story" / name).write_bytes(name.encode())
    extend = {"prompt": "It turns.", "extend": {"video_url": "boat.mp4", "seconds": 3}}
    (tmp_path / "story" / "job.json").write_text(json.dumps({"input": extend}))
    picture = {"at": 5, "image_url": "story/dusk.png"}
    last = {"at": 8, "image_url": "https://e.com/a.png"}
    for arguments in (
        ["--input", "story/job.json", "--extend-seconds", "4"],
        ["It turns.", "--keyframes", json.dumps([picture, last])],
    ):
        done = ltx2("submit", *arguments)
        assert done.returncode == Exit.OK, done.stderr
    first, second = (request.body["input"] for request in runpod.seen(Route.RUN))
    assert first["extend"] == {"video_base64": encoded("boat.mp4"), "seconds": 4}
    assert second["keyframes"] == [{"at": 5.0, "image_base64": encoded("dusk.png")}, last]


def encoded(name: str) -> str:
    return base64.b64encode(name.encode()).decode()


@pytest.mark.parametrize(
    ("arguments", "changes", "expected"),
    [
        (["run", "A kite.", "--preview"], {"RUNPOD_API_KEY": "wrong"}, (Exit.ACCESS, "API key")),
        (["run", "A kite.", "--preview"], {"LTX2_ENDPOINT_ID": "other"}, (Exit.ACCESS, "no such endpoint")),
        (["run", "A kite."], {"RUNPOD_API_KEY": ""}, (Exit.ACCESS, "RUNPOD_API_KEY")),
        (["run", "A kite.", "--steps", "3"], {}, (Exit.USAGE, "steps must be 20 to 40")),
        (["run", "A kite.", "--image", "none.jpg"], {}, (Exit.USAGE, "none.jpg cannot be read")),
        (
            ["run", "A kite.", "--keyframes", '[{"at": 5, "image_url": "none.png"}]'],
            {},
            (Exit.USAGE, "keyframes.0.image_url: none.png cannot be read"),
        ),
        (["run", "A kite.", "--max-credits", "1"], {}, (Exit.OVER_BUDGET, "costs 30 credits")),
        (["watch", "no-such-job"], {}, (Exit.EXPIRED, "does not know the job")),
        (["run", "A kite.", "--resolution", "4k"], {}, (Exit.USAGE, "invalid choice")),
    ],
    ids=["key", "endpoint", "no key", "field", "file", "file in a list", "budget", "job", "choice"],
)
def test_what_is_wrong_is_one_sentence_and_an_exit_status(
    runpod: Emulator, ltx2: Ltx2, arguments: list[str], changes: dict[str, str], expected: tuple[Exit, str]
) -> None:
    status, said = expected
    done = ltx2(*arguments, "--format", "text", **changes)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr and KEY not in done.stderr
    assert not runpod.jobs


def test_a_failed_job_and_an_unknown_submit_have_their_own_exit_statuses(
    runpod: Emulator, ltx2: Ltx2
) -> None:
    code = ErrorCode.OUT_OF_MEMORY
    runpod.play(lambda job: Script(0.05, failed_output(job.id, code), error="Too large."))
    failed = ltx2("run", "A kite.", "--preview")
    assert failed.returncode == Exit.JOB_FAILED
    error = json.loads(failed.stderr)["error"]
    assert (error["code"], error["message"], error["retryable"]) == ("out_of_memory", "Too large.", False)
    runpod.inject(Route.RUN, LOST_REPLY)
    assert ltx2("submit", "A kite.", "--preview").returncode == Exit.SUBMIT_UNKNOWN


def test_status_cancel_retry_and_health_say_what_is(runpod: Emulator, ltx2: Ltx2) -> None:
    job_id = json.loads(ltx2("submit", "A kite.", "--preview").stdout)["job_id"]
    assert ltx2("status", job_id, "--format", "text").stdout == "IN_QUEUE\n"
    assert json.loads(ltx2("health").stdout)["jobs"]["in_queue"] == 1
    assert json.loads(ltx2("cancel", job_id).stdout)["state"] == "CANCELLED"
    refused_retry = ltx2("retry", job_id)
    assert refused_retry.returncode == Exit.USAGE
    assert "cannot be retried" in refused_retry.stderr


def test_a_price_is_told_without_asking_anyone(ltx2: Ltx2) -> None:
    done = ltx2("price", "--quality", "pro", "--resolution", "1080p", "--duration", "20", LTX2_ENDPOINT_ID="")
    assert json.loads(done.stdout)["credits"] == 120


def test_a_target_that_is_taken_is_refused_before_anything_is_paid(
    runpod: Emulator, ltx2: Ltx2, tmp_path: Path
) -> None:
    (tmp_path / "kite.mp4").write_bytes(b"somebody's")
    done = ltx2("run", "A kite.", "--out", "kite.mp4")
    assert (done.returncode, "is there already" in done.stderr) == (Exit.USAGE, True)
    assert not runpod.seen(Route.RUN)


def test_a_timeout_leaves_the_job_and_says_how_to_go_on(runpod: Emulator, ltx2: Ltx2) -> None:
    runpod.inject(Route.STATUS, refused(500))
    done = ltx2("run", "A kite.", "--preview", "--timeout", "1", "--format", "text")
    assert done.returncode == Exit.STILL_RUNNING
    assert f"ltx2 watch {one_job(runpod).id}" in done.stderr

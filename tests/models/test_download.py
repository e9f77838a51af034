"""Downloads, run against a server that speaks the hub's protocol and misbehaves as networks do."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from typing import TypedDict, Unpack

import pytest
from rich.console import Console

from ltx2_worker.catalog.files import ModelFile
from ltx2_worker.download.__main__ import main
from ltx2_worker.download.downloader import DISK_FULL, FAILED, INCOMPLETE, INTERRUPTED, OK, Downloader
from ltx2_worker.download.hub import Hub
from tests.models.local_hub import LocalHub, Served

ROOT = Path(__file__).parents[2]
CONTENT = os.urandom(9_000_000)


class Changes(TypedDict, total=False):
    """Fields of a `ModelFile` that a test sets."""

    repo: str
    path: str
    size_exact: bool
    sha256: str
    replaced_by: str


def model_file(name: str = "a.safetensors", **changes: Unpack[Changes]) -> ModelFile:
    plain = ModelFile(
        id=name.partition(".")[0],
        name=name,
        folder="loras",
        repo="Org/Repo",
        path=f"deep/{name}",
        revision="main",
        size=10,
        size_exact=False,
        licence="none",
        sets=("fast",),
        used_by="tests",
    )
    return replace(plain, **changes)


class Bench:
    """One hub, one destination, one downloader, and what it said."""

    def __init__(self, tmp_path: Path, hub: LocalHub, token: str | None = None) -> None:
        self.said = StringIO()
        console = Console(file=self.said, highlight=False, soft_wrap=True, width=200)
        self.dest = tmp_path / "models"
        self.make: Callable[[], Downloader] = lambda: Downloader(
            Hub(hub.endpoint, token, backoff=0.0), self.dest, console, jobs=4
        )

    def fetch(self, *files: ModelFile, dry_run: bool = False) -> int:
        return self.make().fetch(files, dry_run=dry_run)

    def everything(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.dest)): path.read_bytes()
            for path in self.dest.rglob("*")
            if path.is_file()
        }


def serving(served: Served, xet_store: Path | None = None) -> LocalHub:
    return LocalHub({("Org/Repo", "deep/a.safetensors"): served}, xet_store)


def test_a_file_arrives_whole_under_its_name_and_nothing_else_stays(tmp_path: Path) -> None:
    with serving(Served(CONTENT)) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file()) == OK
    assert bench.everything() == {"loras/a.safetensors": CONTENT}
    assert not (bench.dest / INCOMPLETE).exists()


def test_a_transfer_that_is_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    served = Served(CONTENT, cuts=[5_000_000, 1_000_000], busy=1)
    with serving(served) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file()) == OK
    assert bench.everything() == {"loras/a.safetensors": CONTENT}
    assert len(served.starts) == 3
    assert served.starts[0] == 0 < served.starts[1] < served.starts[2]


def test_a_hub_that_stays_broken_is_given_up_and_the_next_run_resumes(tmp_path: Path) -> None:
    served = Served(CONTENT, cuts=[5_000_000, 0, 0, 0, 0, 0])
    with serving(served) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file()) == FAILED
        assert not (bench.dest / "loras").exists()
        assert "run this again later" in bench.said.getvalue()
        served.cuts.clear()
        served.starts.clear()
        assert bench.fetch(model_file()) == OK
        assert served.starts[0] > 0
    assert bench.everything() == {"loras/a.safetensors": CONTENT}


def test_a_server_that_ignores_ranges_is_survived(tmp_path: Path) -> None:
    served = Served(CONTENT, cuts=[5_000_000], ignores_ranges=True)
    with serving(served) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file()) == OK
    assert bench.everything() == {"loras/a.safetensors": CONTENT}


def run_the_script(tmp_path: Path, hub: LocalHub, *before: str, **environment: str) -> subprocess.Popen[str]:
    values = {key: value for key, value in asdict(model_file()).items() if value is not None and key != "id"}
    listed = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    (tmp_path / "list.toml").write_text(f"[a]\n{listed}")
    return subprocess.Popen(
        [*before, ROOT / "download_models.sh", "--set=fast", "--manifest=list.toml", "--dest=models"],
        cwd=tmp_path,
        env=os.environ | {"HF_ENDPOINT": hub.endpoint, "PYTHON": sys.executable} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's background job ignores Ctrl+C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - calls nothing else
    )


def test_a_stopped_run_leaves_no_half_file_and_the_next_one_resumes(tmp_path: Path) -> None:
    hold = threading.Event()
    served = Served(CONTENT, hold=hold)
    place = tmp_path / "models/loras/a.safetensors"
    with serving(served) as hub:
        run = run_the_script(tmp_path, hub)
        assert served.held.wait(30)
        run.send_signal(signal.SIGINT)
        hold.set()
        said, _ = run.communicate(timeout=30)
        assert run.returncode == INTERRUPTED
        assert "run the same command again" in said
        assert not place.exists()
        said, _ = run_the_script(tmp_path, hub).communicate(timeout=30)
    assert "fetched loras/a.safetensors" in said
    assert place.read_bytes() == CONTENT


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    hold = threading.Event()
    served = Served(CONTENT, hold=hold)
    with serving(served) as hub:
        first = run_the_script(tmp_path, hub)
        assert served.held.wait(30)
        said, _ = run_the_script(tmp_path, hub).communicate(timeout=30)
        assert "Another download is writing into this folder" in said
        hold.set()
        first.communicate(timeout=30)
    assert first.returncode == OK


def test_damaged_bytes_never_get_the_final_name(tmp_path: Path) -> None:
    with serving(Served(CONTENT, claimed_sha256="0" * 64)) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file()) == FAILED
    assert bench.everything() == {}
    assert "damaged" in bench.said.getvalue()


def test_a_damaged_part_of_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    with serving(Served(CONTENT)) as hub:
        bench = Bench(tmp_path, hub)
        part = bench.dest / INCOMPLETE / f"a.{hashlib.sha256(CONTENT).hexdigest()[:16]}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"x" * 1000)
        assert bench.fetch(model_file()) == OK
    assert bench.everything() == {"loras/a.safetensors": CONTENT}


def test_a_file_that_is_here_is_not_fetched_again_and_one_of_another_size_is(tmp_path: Path) -> None:
    served = Served(CONTENT)
    with serving(served) as hub:
        bench = Bench(tmp_path, hub)
        place = bench.dest / "loras/a.safetensors"
        place.parent.mkdir(parents=True)
        place.write_bytes(b"half a file")
        assert bench.fetch(model_file()) == OK
        assert bench.fetch(model_file()) == OK
    assert place.read_bytes() == CONTENT
    assert len(served.starts) == 1


def test_xet_storage_is_used_and_resumed(tmp_path: Path) -> None:
    import hf_xet

    store = tmp_path / "cas"
    commit = hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}")
    upload = commit.start_upload_bytes(CONTENT)
    commit.wait_to_finish()
    served = Served(CONTENT, xet_hash=upload.result().xet_info.hash)
    with serving(served, xet_store=store) as hub:
        bench = Bench(tmp_path, hub)
        part = bench.dest / INCOMPLETE / f"a.{hashlib.sha256(CONTENT).hexdigest()[:16]}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(CONTENT[:4_321_000])
        assert bench.fetch(model_file()) == OK
    assert bench.everything() == {"loras/a.safetensors": CONTENT}
    assert served.starts == []


def test_too_little_disk_is_said_before_anything_is_begun(tmp_path: Path) -> None:
    served = Served(CONTENT, claimed_size=10**15)
    with serving(served) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file()) == DISK_FULL
    assert "Not enough free disk" in bench.said.getvalue()
    assert served.starts == []
    assert not bench.dest.exists()


def test_a_disk_that_fills_up_meanwhile_is_one_sentence(tmp_path: Path) -> None:
    # Blocks of 512 or 1024 bytes, by the shell: less than the file either way.
    limited = ("sh", "-c", 'ulimit -f 8000; exec "$@"', "sh")
    with serving(Served(CONTENT)) as hub:
        run = run_the_script(tmp_path, hub, *limited)
        said, _ = run.communicate(timeout=30)
    assert run.returncode == FAILED
    assert "a.safetensors: cannot be written" in said
    assert "Traceback" not in said
    assert not (tmp_path / "models/loras/a.safetensors").exists()


@pytest.mark.parametrize(
    ("served", "changes", "sentence"),
    [
        (Served(CONTENT, refusal=(403, "GatedRepo")), {}, "is gated"),
        (Served(CONTENT, refusal=(401, "GatedRepo")), {}, "is gated"),
        (Served(CONTENT, refusal=(403, "")), {}, "refuses this token"),
        (Served(CONTENT), {"repo": "Org/Gone"}, "does not exist, or is private"),
        (Served(CONTENT), {"path": "gone"}, "has no file gone"),
        (Served(CONTENT, refusal=(404, "RevisionNotFound")), {}, "has no revision"),
        (Served(CONTENT, refusal=(400, "")), {}, "refuses the request"),
        (Served(CONTENT), {"sha256": "1" * 64}, "another file than files.toml names"),
        (Served(CONTENT), {"size_exact": True}, "another file than files.toml names"),
        (Served(CONTENT, claimed_sha256="abc"), {}, "gives no size, commit or sha256"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    tmp_path: Path, served: Served, changes: Changes, sentence: str
) -> None:
    with serving(served) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file(**changes)) == FAILED
    said = [line for line in bench.said.getvalue().splitlines() if "a.safetensors" in line]
    assert len(said) == 1
    assert sentence in said[0]
    assert served.starts == []


def test_offline_mode_is_said(tmp_path: Path) -> None:
    with serving(Served(CONTENT)) as hub:
        run = run_the_script(tmp_path, hub, HF_HUB_OFFLINE="1")
        said, _ = run.communicate(timeout=30)
    assert run.returncode == FAILED
    assert "HF_HUB_OFFLINE forbids asking the hub" in said
    assert "Traceback" not in said


def test_one_missing_file_does_not_keep_the_others_away(tmp_path: Path) -> None:
    with serving(Served(CONTENT)) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file("b.safetensors", repo="Org/Gone"), model_file()) == FAILED
    assert bench.everything() == {"loras/a.safetensors": CONTENT}


def test_a_file_gone_from_the_hub_is_no_failure_where_another_serves_in_its_place(tmp_path: Path) -> None:
    with serving(Served(CONTENT)) as hub:
        bench = Bench(tmp_path, hub)
        gone = model_file("b.safetensors", repo="Org/Gone", replaced_by="a")
        assert bench.fetch(gone, model_file()) == OK
        assert "a serves in its place" in bench.said.getvalue()
        assert bench.fetch(gone) == FAILED


def test_the_token_opens_a_gated_file_and_is_shown_to_the_hub_only(tmp_path: Path) -> None:
    with serving(Served(CONTENT, token="hf_secret")) as hub:
        bench = Bench(tmp_path, hub, token="hf_secret")
        assert bench.fetch(model_file()) == OK
    assert hub.hub_saw_tokens == {"Bearer hf_secret"}
    assert not hub.cdn_saw_token
    assert "hf_secret" not in bench.said.getvalue()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    served = Served(CONTENT)
    with serving(served) as hub:
        bench = Bench(tmp_path, hub)
        assert bench.fetch(model_file(), dry_run=True) == OK
    assert "would fetch loras/a.safetensors (9.0 MB)" in bench.said.getvalue()
    assert not bench.dest.exists()
    assert served.starts == []


@pytest.mark.parametrize(
    ("content", "code", "verdict"),
    [
        (CONTENT, OK, "is whole"),
        (b"short", FAILED, "has 5 bytes, not 9000000"),
        (CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), FAILED, "is damaged"),
        (None, FAILED, "is missing"),
    ],
)
def test_check_tells_whole_from_damaged(
    tmp_path: Path, content: bytes | None, code: int, verdict: str
) -> None:
    with serving(Served(CONTENT)) as hub:
        bench = Bench(tmp_path, hub)
        if content is not None:
            (bench.dest / "loras").mkdir(parents=True)
            (bench.dest / "loras/a.safetensors").write_bytes(content)
        assert bench.make().check([model_file()]) == code
    assert verdict in bench.said.getvalue()


def test_list_shows_sizes_and_the_total_and_asks_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main(["--list", "--set", "camera"]) == OK
    said = capsys.readouterr().out
    assert "loras/ltx-2-19b-lora-camera-control-static.safetensors" in said
    assert "7 files, 8.0 GB in all" in said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--set", "fast"],
        ["--set", "nope", "--dest", "x"],
        ["--set", "fast", "--dest", "x", "--file", "y"],
        ["--set", "fast", "--dest", "x", "--check", "--dry-run"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_the_script_says_what_is_missing_where_huggingface_hub_is_not_installed(tmp_path: Path) -> None:
    bare = tmp_path / "python-without-packages"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    run = subprocess.run(
        [ROOT / "download_models.sh", "--list"],
        env={"PATH": os.environ["PATH"], "PYTHON": str(bare)},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert run.returncode == 4
    assert f"pip install --require-hashes -r {ROOT}/requirements/download.lock" in run.stderr

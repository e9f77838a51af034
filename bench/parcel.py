"""Packs what `bench.gpu` needs into one file, for a machine that has a GPU and torch but no network.

    python3 -m bench.parcel pack parcel.tar.xz --python 3.12 --installed names.txt    with a network
    python3 -m bench.parcel run parcel.tar.xz DIR --weights DIR/weights               at the GPU

The project's own folder travels beside it. The parcel holds ComfyUI's source and the packages that the other
machine lacks, for its Python; `names.txt` is what `pip list --format=freeze` says there. `run` unpacks the
parcel into DIR once, and hands all further arguments to `bench.gpu`. Standard library only, on both sides.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from local.commands import engine_environment
from local.environments import TEST_ENGINE, TESTS
from local.places import REQUIREMENTS, ROOT, digest, is_stamped, put_stamp
from local.problem import Problem
from local.setup import set_up
from local.uv import uv
from local.weights import TINY_NODES, Weights

#: What the other machine must have itself: gigabytes, and made for its driver.
TORCH = re.compile(r"torch|torchvision|torchaudio|triton|nvidia-.*|cuda-.*")
#: What ComfyUI's page needs, and nodes that no video uses (their modules fail to load, and ComfyUI goes on).
PAGE = re.compile(r"comfyui-(frontend|workflow|embedded).*|comfy-angle|pyopengl|kornia.*")
#: The other machine's: a current Linux, which takes wheels for older ones too (PEP 600).
PLATFORM = "x86_64-manylinux_2_28"
#: The packages of the handler that drive the engine; what they need themselves, the engine has too.
DRIVER = frozenset({"websocket-client"})
#: What nobody reads there.
NOT_PACKED = re.compile(r"comfyui/(tests|tests-unit|user|\.git)|.*/__pycache__")


def main() -> int:
    """Pack or run."""
    parser = argparse.ArgumentParser(prog="python3 -m bench.parcel", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    packing = commands.add_parser("pack", help="write the parcel; sets up `.local` first")
    packing.add_argument("parcel", type=Path)
    packing.add_argument("--python", default="3.12", metavar="3.12", help="the other machine's")
    packing.add_argument("--installed", type=Path, help="names of the packages that it has")
    running = commands.add_parser("run", help="unpack the parcel, and run bench.gpu")
    running.add_argument("parcel", type=Path)
    running.add_argument("folder", type=Path)
    options, rest = parser.parse_known_args()
    try:
        if options.command == "run":
            return run(options.parcel, options.folder.absolute(), rest)
        if rest:
            parser.error(f"unknown: {shlex.join(rest)}")
        listed = options.installed.read_text(encoding="utf-8") if options.installed else ""
        pack(options.parcel, options.python, _names(listed))
    except (Problem, OSError) as error:
        parser.error(str(error))
    print(f"{options.parcel}: {options.parcel.stat().st_size / 1e6:.1f} MB")
    return 0


def wanted(engine: str, handler: str, installed: Collection[str]) -> list[str]:
    """The pinned packages that must travel.

    Arguments:
        engine, handler: the two lock files' text.
        installed: names of the packages that the other machine has, in whatever version.
    """
    pinned = {name: line for name, line in _pins(handler).items() if name in DRIVER} | _pins(engine)
    return [
        line
        for name, line in pinned.items()
        if name not in installed and not TORCH.fullmatch(name) and not PAGE.fullmatch(name)
    ]


def pack(parcel: Path, python: str, installed: Collection[str]) -> None:
    """Write the parcel: `comfyui/` and `site/`."""
    comfyui = set_up(TESTS, TEST_ENGINE, None, tiny=True)
    engine, handler = (
        (REQUIREMENTS / f"{name}.lock").read_text(encoding="utf-8") for name in ("engine", "handler")
    )
    with tempfile.TemporaryDirectory() as name:
        site = Path(name, "site")
        target = ["--python-version", python, "--python-platform", PLATFORM, "--target", str(site)]
        quiet = ["--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run(uv("pip", "install", *quiet, *target, *wanted(engine, handler, installed)), check=True)
        with tarfile.open(parcel, "w:xz") as tar:
            tar.add(comfyui, "comfyui", filter=_packed)
            tar.add(site, "site", filter=_packed)


def run(parcel: Path, folder: Path, arguments: Sequence[str]) -> int:
    """Run `bench.gpu` from what the parcel holds, and from this Python's own packages."""
    python, comfyui = folder / "python" / "bin" / "python", folder / "comfyui"
    if not is_stamped(folder, digest([parcel])):
        _unpack(parcel, folder)
    page = folder / "no-page"
    page.mkdir(exist_ok=True)
    settings = {"LTX2_ENGINE_ARGS": f"--front-end-root {page}", "LTX2_WORK_DIR": str(folder / "work")}
    if "--smoke" in arguments:
        tiny, union = folder / "tiny", folder / "tiny-union"
        if not union.exists():
            subprocess.run([python, "-m", "local.tiny.weights", comfyui, tiny, union], cwd=ROOT, check=True)
        settings |= engine_environment(comfyui, python, Weights("cpu", (tiny,), TINY_NODES))
    else:
        settings |= engine_environment(comfyui, python, Weights("gpu", ()))
        del settings["LTX2_MODELS_DIRS"]  # --weights names it
    command = [str(python), "-m", "bench.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | settings, check=False).returncode


def _unpack(parcel: Path, folder: Path) -> None:
    """Unpack the parcel and make its Python: this one, with the parcel's packages before its own."""
    for old in ("comfyui", "site", "python", "tiny", "tiny-union"):
        shutil.rmtree(folder / old, ignore_errors=True)
    with tarfile.open(parcel) as tar:
        tar.extractall(folder, filter="data")
    python = folder / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python], check=True)
    own = [part for part in sys.path if part.endswith(("site-packages", "dist-packages"))]
    # An environment made from an environment sees the packages of neither by itself.
    lines = [f"import site; site.addsitedir({json.dumps(part)})" for part in (str(folder / "site"), *own)]
    (packages,) = python.glob("lib/python*/site-packages")
    (packages / "parcel.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    put_stamp(folder, digest([parcel]))


def _packed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what nobody reads there, and who packed it."""
    if NOT_PACKED.fullmatch(member.name):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _pins(lock: str) -> dict[str, str]:
    lines = [line.removesuffix("\\").strip() for line in lock.splitlines()]
    return {_name(line): line for line in lines if re.match(r"\w[^ ]*==", line)}


def _names(listed: str) -> frozenset[str]:
    return frozenset(_name(line) for line in listed.splitlines() if line.strip())


def _name(line: str) -> str:
    """A package's name as the index compares it (PEP 503), without its version."""
    return re.sub(r"[-_.]+", "-", re.split(r"[=<>~! \[;@]", line.strip(), maxsplit=1)[0]).lower()


if __name__ == "__main__":
    sys.exit(main())

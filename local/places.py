"""Where things are, and the stamps that tell whether they are still right."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"

#: Everything that setting up makes; git ignores it, and deleting it starts afresh.
HOME = ROOT / ".local"
LOGS = HOME / "logs"
TEMPORARY = HOME / "tmp"

_STAMP = ".made-from"


def digest(files: Iterable[Path], *facts: str) -> str:
    """A fingerprint of what something is made from.

    Arguments:
        files: their contents count, their names do not.
        facts: whatever else it depends on.
    """
    total = hashlib.sha256("\0".join(facts).encode())
    for file in files:
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def is_stamped(folder: Path, stamp: str) -> bool:
    """Tell whether the folder was finished, and made from just this."""
    try:
        return (folder / _STAMP).read_text(encoding="utf-8") == stamp
    except OSError:
        return False


def put_stamp(folder: Path, stamp: str) -> None:
    """Mark the folder as finished. Always the last thing done to it: what was interrupted has no stamp."""
    partial = folder / (_STAMP + ".partial")
    partial.write_text(stamp, encoding="utf-8")
    partial.replace(folder / _STAMP)


def replace_folder(new: Path, final: Path) -> None:
    """Move a finished folder to its place."""
    shutil.rmtree(final, ignore_errors=True)
    new.replace(final)


def shown(path: Path) -> str:
    """A path as a person in the project's folder would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

"""The one list of model files (files.toml), and which of them this machine has.

Files are where ComfyUI wants them: <models folder>/<folder>/<name>. They may also come from RunPod's cached
models, a Hugging Face cache folder with its own layout, which `link_cached` makes look like ComfyUI's.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

MANIFEST = Path(__file__).with_name("files.toml")

#: Where RunPod mounts an endpoint's cached model (one repository per endpoint).
#: Source: RunPod's documentation, "Cached models".
RUNPOD_CACHE = Path("/runpod-volume/huggingface-cache/hub")

_Text = Annotated[str, StringConstraints(min_length=1)]
_FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class ModelFile:
    """One model file: where it comes from, where it goes, and what needs it."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: _Text
    name: _FileName
    folder: _FileName
    repo: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    path: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$")]
    revision: _FileName
    size: Annotated[int, Field(gt=0, strict=True)]
    size_exact: Annotated[bool, Field(strict=True)]
    licence: _Text
    sets: Annotated[tuple[str, ...], Field(min_length=1)]
    used_by: _Text
    layer: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] | None = None
    sha256: _Sha256 | None = None
    replaced_by: str | None = None
    families: tuple[str, ...] = ()
    camera: _Text | None = None
    reference_downscale: Annotated[int, Field(gt=0, strict=True)] = 1

    @property
    def relative(self) -> Path:
        """Its place below a models folder: folder/name."""
        return Path(self.folder, self.name)

    def made_for(self, family: str) -> bool:
        """Whether a model family may load it; a file without families is of no particular one."""
        return not self.families or family in self.families


def load_manifest(path: Path) -> Mapping[str, ModelFile]:
    """Read and check a list of model files.

    Arguments:
        path: a TOML file with one table per model file id; `sets` may list the sets that there are.

    Raises:
        ValueError: the list is malformed; the message names the entry.
    """
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    sets = tables.pop("sets", None)
    adapter = TypeAdapter(ModelFile)
    files = {key: adapter.validate_python({**table, "id": key}) for key, table in tables.items()}
    places: dict[Path, str] = {}
    for file in files.values():
        if sets is not None and (unknown := set(file.sets) - set(sets)):
            raise ValueError(f"{path.name}: {file.id}: unknown sets {sorted(unknown)}")
        if file.replaced_by is not None and file.replaced_by not in files:
            raise ValueError(f"{path.name}: {file.id}: replaced_by names no entry: {file.replaced_by}")
        if file.camera is not None and not file.families:
            raise ValueError(f"{path.name}: {file.id}: a camera LoRA was made for a family: name it")
        if file.relative in places:
            raise ValueError(f"{path.name}: {file.id} and {places[file.relative]} share one place")
        places[file.relative] = file.id
    return MappingProxyType(files)


@cache
def manifest() -> Mapping[str, ModelFile]:
    """Return the project's model files by id, in the order of files.toml."""
    return load_manifest(MANIFEST)


@cache
def sets() -> tuple[str, ...]:
    """Return the sets that a file can belong to, in the order in which they are shown."""
    return tuple(tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["sets"])


def in_sets(files: Iterable[ModelFile], wanted: Iterable[str]) -> tuple[ModelFile, ...]:
    """Return the files that belong to any of the sets `wanted`; "all" stands for every set.

    Raises:
        ValueError: a set that no file belongs to.
    """
    files, wanted = tuple(files), set(wanted)
    known = tuple(dict.fromkeys(name for file in files for name in file.sets))
    if unknown := wanted - {*known, "all"}:
        raise ValueError(f"there is no set {sorted(unknown)[0]!r}; there are {', '.join(known)} and all")
    return tuple(file for file in files if "all" in wanted or wanted & set(file.sets))


class ModelLibrary:
    """The model files that are here, in one or several folders with ComfyUI's layout.

    Arguments:
        dirs: models folders; the first that has a file wins. Folders that do not exist are empty ones.
    """

    def __init__(self, dirs: Sequence[Path]) -> None:
        self.dirs = tuple(dirs)

    def find(self, file: ModelFile) -> Path | None:
        """Return the file's path, or None: a broken link, a folder or an empty file does not count."""
        for folder in self.dirs:
            path = folder / file.relative
            if path.is_file() and path.stat().st_size > 0:
                return path
        return None

    def has(self, file: ModelFile) -> bool:
        """Whether the file is in one of the folders."""
        return self.find(file) is not None

    def missing(self, files: Iterable[ModelFile]) -> tuple[ModelFile, ...]:
        """Return those of `files` that are in none of the folders, in the order given."""
        return tuple(file for file in files if not self.has(file))


def link_cached(
    files: Iterable[ModelFile], into: Path, cache_dir: Path = RUNPOD_CACHE
) -> tuple[ModelFile, ...]:
    """Link what a Hugging Face cache holds into a folder with ComfyUI's layout.

    The cache's layout is models--ORG--NAME/snapshots/COMMIT/PATH, with the branch's commit in refs/BRANCH.
    Source: Hugging Face's documentation, "Understand caching". Repository names are compared without regard
    to case, as on the hub. The links belong to the caller, who owns `into`.

    Arguments:
        files: the files wanted.
        into: folder to make the links in; what a file's place already holds is replaced if it is a link.
        cache_dir: the cache; one that does not exist holds nothing.

    Returns:
        The files that were linked.
    """
    if not cache_dir.is_dir():
        return ()
    repos = {path.name.lower(): path for path in cache_dir.glob("models--*--*") if path.is_dir()}
    linked = []
    for file in files:
        repo = repos.get(f"models--{file.repo.replace('/', '--')}".lower())
        source = _in_snapshot(repo, file) if repo else None
        if source is None:
            continue
        place = into / file.relative
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and not place.is_symlink():
            continue
        fresh = place.with_name(f"{place.name}.{os.getpid()}.link")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(source)
        fresh.replace(place)
        linked.append(file)
    return tuple(linked)


def _in_snapshot(repo: Path, file: ModelFile) -> Path | None:
    """Find a file in a cached repository: the wanted revision first, then the newest snapshot that has it."""
    reference = repo / "refs" / file.revision
    commit = reference.read_text(encoding="ascii").strip() if reference.is_file() else file.revision
    others = (repo / "snapshots").glob("*")
    newest_first = sorted(others, key=lambda snapshot: snapshot.stat().st_mtime, reverse=True)
    for snapshot in (repo / "snapshots" / commit, *newest_first):
        path = snapshot / file.path
        if path.is_file() and path.stat().st_size > 0:
            return path.resolve()
    return None

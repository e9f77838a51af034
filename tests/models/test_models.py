"""The list of model files, and finding them where they may be."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ltx2_api.job import JobInput
from ltx2_worker.catalog.files import (
    MANIFEST,
    ModelFile,
    ModelLibrary,
    in_sets,
    link_cached,
    load_manifest,
    manifest,
    sets,
)
from ltx2_worker.plan import make_plan
from ltx2_worker.workflow import needs


def put(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "ltx-2-19b-dev.safetensors"', 'name = "../dev.safetensors"'),
        ('folder = "loras"', 'folder = "loras/sub"'),
        ("size = 995_765_578", "size = 0"),
        ("size = 995_765_578", 'size = "1"'),
        ("\nsize_exact = false", "\nsize_exact = 0"),
        ('sets = ["camera"]', 'sets = ["cameras"]'),
        ('sets = ["camera"]', "sets = []"),
        ('replaced_by = "control_union"', 'replaced_by = "nothing"'),
        ('sha256 = "0da9', 'sha256 = "0DA9'),
        ('used_by = "48 fps"', 'used_by = "48 fps"\nextra = 1'),
        ('name = "ltx-2-19b-dev.safetensors"', 'name = "ltx-2-19b-distilled.safetensors"'),
        ('repo = "Comfy-Org/SDPose"', 'repo = "SDPose"'),
    ],
)
def test_a_mistake_in_the_list_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = MANIFEST.read_text()
    assert old in text
    wrong = tmp_path / "models.toml"
    wrong.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError):
        load_manifest(wrong)


@pytest.mark.parametrize("quality", ["fast", "pro"])
@pytest.mark.parametrize(("model", "prefix"), [("ltx-2", ""), ("ltx-2.3", "2.3-")])
def test_a_recipes_set_is_just_what_its_plain_job_needs(model: str, prefix: str, quality: str) -> None:
    job, _ = JobInput.parse({"prompt": "a cat", "model": model, "quality": quality})
    plan = make_plan(job, installed=lambda _: True)
    assert {need.file for need in needs(plan)} == set(in_sets(manifest().values(), [prefix + quality]))


def test_every_set_has_files() -> None:
    files = manifest()
    for name in sets():
        assert in_sets(files.values(), [name])
    assert len(in_sets(files.values(), ["all"])) == len(files)
    with pytest.raises(ValueError, match="there is no set 'cameras'"):
        in_sets(files.values(), ["cameras"])


def test_the_first_folder_that_has_a_file_wins(tmp_path: Path) -> None:
    file = manifest()["detailer"]
    other = manifest()["text_encoder"]
    image, volume = tmp_path / "image", tmp_path / "volume"
    library = ModelLibrary([tmp_path / "absent", image, volume])
    assert library.find(file) is None
    on_volume = put(volume / file.relative)
    assert library.find(file) == on_volume
    in_image = put(image / file.relative)
    assert library.find(file) == in_image
    assert library.missing([other, file]) == (other,)


def test_a_broken_link_a_folder_and_an_empty_file_are_not_the_file(tmp_path: Path) -> None:
    ways: list[Callable[[Path], None]] = [
        lambda path: path.symlink_to(tmp_path / "nowhere"),
        lambda path: path.mkdir(),
        lambda path: path.touch(),
    ]
    for number, make in enumerate(ways):
        folder = tmp_path / str(number)
        file = manifest()["detailer"]
        (folder / file.folder).mkdir(parents=True)
        make(folder / file.relative)
        assert ModelLibrary([folder]).find(file) is None


def cached(
    cache: Path, file: ModelFile, commit: str, content: bytes = b"weights", name: str | None = None
) -> Path:
    """Put a file into a cache as huggingface_hub lays it out: a blob, and a link to it in a snapshot."""
    repo = cache / (name or f"models--{file.repo.replace('/', '--')}")
    blob = put(repo / "blobs" / f"{commit}-{file.id}", content)
    link = repo / "snapshots" / commit / file.path
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return blob


def test_cached_models_are_found_in_their_snapshot(tmp_path: Path) -> None:
    cache, into = tmp_path / "hub", tmp_path / "models"
    wanted = [manifest()["checkpoint_fast"], manifest()["text_encoder"], manifest()["detailer"]]
    cached(cache, wanted[0], "aaa")
    cached(cache, wanted[1], "bbb", name="models--comfy-org--ltx-2")
    assert link_cached(wanted, into, cache) == (wanted[0], wanted[1])
    library = ModelLibrary([into])
    assert library.missing(wanted) == (wanted[2],)
    found = library.find(wanted[0])
    assert found is not None
    assert found.read_bytes() == b"weights"


def test_the_wanted_revision_is_taken_before_a_newer_snapshot(tmp_path: Path) -> None:
    cache, into = tmp_path / "hub", tmp_path / "models"
    file = manifest()["detailer"]
    cached(cache, file, "old", b"old")
    cached(cache, file, "new", b"new")
    repo = next(cache.iterdir())
    os.utime(repo / "snapshots/old", (1, 1))
    link_cached([file], into, cache)
    assert (into / file.relative).read_bytes() == b"new"
    put(repo / "refs/main", b"old\n")
    link_cached([file], into, cache)
    assert (into / file.relative).read_bytes() == b"old"
    link_cached([replace(file, revision="new")], into, cache)
    assert (into / file.relative).read_bytes() == b"new"


def test_a_real_file_is_never_replaced_by_a_link(tmp_path: Path) -> None:
    cache, into = tmp_path / "hub", tmp_path / "models"
    file = manifest()["detailer"]
    cached(cache, file, "aaa")
    put(into / file.relative, b"mine")
    assert link_cached([file], into, cache) == ()
    assert (into / file.relative).read_bytes() == b"mine"


def test_no_cache_is_an_empty_one(tmp_path: Path) -> None:
    assert link_cached(manifest().values(), tmp_path / "models", tmp_path / "hub") == ()
    assert not (tmp_path / "models").exists()

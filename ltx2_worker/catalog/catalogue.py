"""The catalogue: everything that can be made, as it is read from the tables beside this file.

<family>.toml says how a generation of the model is used, workflows/<family>/ holds its graphs, files.toml
lists the files of all. Another family is another table: the code names none.
"""

import json
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from . import check
from .family import Control, Family, Installed, Movement, Recipe
from .files import MANIFEST, ModelFile, manifest
from .tables import FamilyTable

FOLDER = Path(__file__).parent
WORKFLOWS = Path(__file__).parents[2] / "workflows"


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All recipes of all families, in the order of the families' names."""

    recipes: tuple[Recipe, ...]

    @property
    def families(self) -> tuple[Family, ...]:
        """Every family once."""
        return tuple({recipe.family.name: recipe.family for recipe in self.recipes}.values())

    def recipe(self, family: str, name: str) -> Recipe | None:
        """Return a recipe, or None if there is none of this name."""
        found = (each for each in self.recipes if (each.family.name, each.name) == (family, name))
        return next(found, None)

    def checkpoints(self, family: Family) -> tuple[ModelFile, ...]:
        """The files that can stand for a family's model, of any recipe."""
        listed = (each.choices_of_file[family.named_by] for each in self.recipes if each.family is family)
        return tuple(file for by_precision in listed for files in by_precision.values() for file in files)

    def installed(self, installed: Installed, families: Collection[str]) -> tuple[str, ...]:
        """Those of some families of which a recipe's model file is here."""
        here = {recipe.family.name for recipe in self.recipes if recipe.has_model(installed)}
        return tuple(family for family in families if family in here)


@cache
def catalogue() -> Catalogue:
    """Return the project's own catalogue."""
    return load_catalogue(FOLDER, WORKFLOWS, manifest())


def load_catalogue(folder: Path, workflows: Path, files: Mapping[str, ModelFile]) -> Catalogue:
    """Read and check the families of a folder.

    Arguments:
        folder: has one <family>.toml for each family, and may have the list of files beside them.
        workflows: has one folder for each family.
        files: the model files that the families may name, by id.

    Raises:
        ValueError: tables, graphs and files do not agree; the message says where.
    """
    found = (path for path in folder.glob("*.toml") if path.name != MANIFEST.name)
    tables = sorted(found, key=lambda path: path.stem)
    return Catalogue(
        tuple(recipe for path in tables for recipe in _recipes(path, workflows / path.stem, files))
    )


def _recipes(path: Path, workflows: Path, files: Mapping[str, ModelFile]) -> Iterator[Recipe]:
    try:
        table = FamilyTable.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        graphs = {
            name: json.loads((workflows / recipe.workflow).read_text(encoding="utf-8"))
            for name, recipe in table.recipes.items()
        }
    except (ValidationError, OSError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    if wrong := list(check.faults(path.stem, table, graphs, files)):
        raise ValueError(f"{path.name}: {'; '.join(wrong)}")
    family = _family(path.stem, table, files)
    for name, recipe in table.recipes.items():
        ids = {role: spec.file for role, spec in table.files.items() if spec.file} | dict(recipe.files)
        yield Recipe(
            family=family,
            name=name,
            description=recipe.description,
            graph=graphs[name],
            steps=recipe.steps,
            guidance=recipe.guidance,
            shift=recipe.shift,
            sound=recipe.sound,
            choices_of_file={
                role: {key: tuple(files[each] for each in listed) for key, listed in by_precision.items()}
                for role, by_precision in ids.items()
            },
        )


def _family(name: str, table: FamilyTable, files: Mapping[str, ModelFile]) -> Family:
    return Family(
        name=name,
        title=table.title,
        precisions=table.precisions,
        named_by=table.named_by,
        also_named=table.also_named,
        latent=table.latent,
        rates=table.rates,
        arithmetic=table.arithmetic,
        image_strength=table.image_strength,
        keyframe_strength=table.keyframe_strength,
        refining=table.refining,
        detailing=table.detailing,
        pose=table.pose,
        roles=table.files,
        slots=table.slots,
        features=table.features,
        choices=table.choices,
        series=table.series,
        stages=table.stages,
        cameras={
            file.camera: Movement(lora=file)
            for file in files.values()
            if file.camera and name in file.families
        }
        | {camera: Movement(sentence=sentence) for camera, sentence in table.cameras.items()},
        controls={
            kind: Control(tuple(files[each] for each in control.loras), control.seconds_per_frame)
            for kind, control in table.controls.items()
        },
        instead=table.instead,
    )

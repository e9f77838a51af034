"""ltx2_api/names.json, from the worker's catalogue; `python -m tools.reference` writes it."""

from pathlib import Path

from ltx2_api.names import FamilyNames, Names, RecipeNames, StepRange
from ltx2_worker.catalog.catalogue import Catalogue
from ltx2_worker.catalog.family import Family

PLACE = Path(__file__).resolve().parent.parent / "ltx2_api" / "names.json"


def names(catalogue: Catalogue) -> str:
    """Return the file as it should be for a catalogue."""
    families = {family.name: _family(family, catalogue) for family in catalogue.families}
    return Names(families=families).model_dump_json(indent=2) + "\n"


def _family(family: Family, catalogue: Catalogue) -> FamilyNames:
    return FamilyNames(
        title=family.title,
        recipes={
            recipe.name: RecipeNames(
                description=recipe.description, steps=StepRange(**recipe.steps.model_dump())
            )
            for recipe in catalogue.recipes
            if recipe.family is family
        },
        precisions=family.precisions,
        cameras=tuple(family.cameras),
        controls=tuple(family.controls),
        image_strength=family.image_strength,
        keyframe_strength=family.keyframe_strength,
    )

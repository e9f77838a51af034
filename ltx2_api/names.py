"""What a caller may name: families, recipes, precisions, cameras, controls.

How each of them is made, only the worker knows: names.json is written from its catalogue by
`python -m tools.reference`, and a test holds the two together.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepRange(_Table):
    """Sampling steps of a recipe; `least` and `most` are the same where a job cannot choose."""

    default: int
    least: int
    most: int

    @property
    def chosen(self) -> bool:
        """Whether a job may set them."""
        return self.least < self.most


class RecipeNames(_Table):
    """A recipe of a family, which a job calls its quality."""

    description: str
    steps: StepRange


class FamilyNames(_Table):
    """A generation of the model, and what a job may ask of it; each list's first is the default."""

    title: str
    recipes: Mapping[str, RecipeNames]
    precisions: tuple[str, ...]
    cameras: tuple[str, ...]
    controls: tuple[str, ...]
    image_strength: float
    keyframe_strength: float


class Names(_Table):
    """Everything that can be named, family by family."""

    families: Mapping[str, FamilyNames]

    @cached_property
    def qualities(self) -> tuple[str, ...]:
        """Recipes of any family."""
        return _each_once(name for family in self.families.values() for name in family.recipes)

    @cached_property
    def precisions(self) -> tuple[str, ...]:
        """Precisions of any family."""
        return _each_once(name for family in self.families.values() for name in family.precisions)

    @cached_property
    def cameras(self) -> tuple[str, ...]:
        """Cameras of any family."""
        return _each_once(name for family in self.families.values() for name in family.cameras)

    @cached_property
    def controls(self) -> tuple[str, ...]:
        """Controls of any family."""
        return _each_once(name for family in self.families.values() for name in family.controls)

    @cached_property
    def image_strengths(self) -> str:
        """How hard a start image is held where a job does not say, for the caller."""
        return _by_family({name: each.image_strength for name, each in self.families.items()})

    @cached_property
    def keyframe_strengths(self) -> str:
        """How hard a video is drawn to a keyframe where a job does not say, for the caller."""
        return _by_family({name: each.keyframe_strength for name, each in self.families.items()})

    @cached_property
    def recipes(self) -> Mapping[str, RecipeNames]:
        """Recipes by name; one that several families have is described as the first family's."""
        recipes: dict[str, RecipeNames] = {}
        for family in self.families.values():
            recipes = dict(family.recipes) | recipes
        return {name: recipes[name] for name in self.qualities}

    @cached_property
    def chosen_steps(self) -> StepRange:
        """The steps that a job may ask for, of whichever recipe; without one that takes any, none fit."""
        ranges = [recipe.steps for recipe in self._each_recipe() if recipe.steps.chosen]
        if not ranges:
            return StepRange(default=1, least=1, most=1)
        return StepRange(
            default=ranges[0].default,
            least=min(steps.least for steps in ranges),
            most=max(steps.most for steps in ranges),
        )

    def takes_steps(self, quality: str) -> bool:
        """Whether any family's recipe of this name lets a job choose its steps."""
        return any(
            family.recipes[quality].steps.chosen
            for family in self.families.values()
            if quality in family.recipes
        )

    def _each_recipe(self) -> Iterable[RecipeNames]:
        return (recipe for family in self.families.values() for recipe in family.recipes.values())


def _by_family(numbers: Mapping[str, float]) -> str:
    """The first family's number, and those of the families that have another one."""
    first, *others = ((name, f"{number:g}") for name, number in numbers.items())
    return first[1] + "".join(f", {text} with {name}" for name, text in others if text != first[1])


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


#: Read once; the same for every caller of this package.
NAMES = Names.model_validate_json(Path(__file__).with_name("names.json").read_text(encoding="utf-8"))

if TYPE_CHECKING:
    Model = str
    Quality = str
    Precision = str
    Camera = str
    ControlType = str
else:
    # What pydantic and JSON Schema know as an enumeration; a type checker cannot read a file.
    Model = Literal[tuple(NAMES.families)]
    Quality = Literal[NAMES.qualities]
    Precision = Literal[NAMES.precisions]
    Camera = Literal[(*NAMES.cameras, "none")]
    ControlType = Literal[NAMES.controls]

"""A generation of the model (family), and one way of sampling with it (recipe; `quality` in a job)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ltx2_api.progress import Stage

from .files import ModelFile
from .inputs import Choice, Feature, Series, Slot, Value
from .tables import (
    Arithmetic,
    ChoiceTable,
    Detailing,
    Guidances,
    Latent,
    Pose,
    Rates,
    Refining,
    RoleTable,
    Shift,
    Steps,
)

#: Tells whether a model file is on this machine.
Installed = Callable[[ModelFile], bool]


def preferred(files: Collection[ModelFile], installed: Installed) -> ModelFile:
    """The first of some files that is installed; the first of all where none is, to be named in an error."""
    return next((file for file in files if installed(file)), next(iter(files)))


@dataclass(frozen=True)
class Control:
    """A structure that a video can follow.

    Attributes:
        loras: the files that can do it, in the order of preference.
        seconds_per_frame: what deriving the structure costs.
    """

    loras: tuple[ModelFile, ...]
    seconds_per_frame: float


@dataclass(frozen=True)
class Movement:
    """A movement of the camera: by a LoRA, or by a sentence of the prompt."""

    lora: ModelFile | None = None
    sentence: str | None = None


@dataclass(frozen=True, eq=False)
class Family:
    """What all recipes of a generation share; the tables' meaning is said in ltx-2.toml.

    Attributes:
        refining, detailing, pose: None where no recipe has the pass, or draws poses.
        named_by: the role whose file stands for the model in replies.
        also_named: roles whose files a reply names under the role's own name.
        roles: the files that graphs load, in the order in which a reply names them.
        cameras: movements by what a job calls them.
    """

    name: str
    title: str
    precisions: tuple[str, ...]
    named_by: str
    also_named: tuple[str, ...]
    latent: Latent
    rates: Rates
    arithmetic: Arithmetic
    image_strength: float
    keyframe_strength: float
    refining: Refining | None
    detailing: Detailing | None
    pose: Pose | None
    roles: Mapping[str, RoleTable]
    slots: Mapping[Value, tuple[Slot, ...]]
    features: Mapping[Feature, tuple[str, ...]]
    choices: Mapping[Choice, ChoiceTable]
    series: Mapping[Series, tuple[str, ...]]
    stages: Mapping[Stage, tuple[str, ...]]
    cameras: Mapping[str, Movement]
    controls: Mapping[str, Control]
    instead: Mapping[str, str]

    def is_loaded(self, role: str, titles: Collection[str]) -> bool:
        """Whether a graph of nodes with these titles loads the file of a role."""
        return any(slot.title in titles for slot in self.roles[role].into)


@dataclass(frozen=True, eq=False)
class Recipe:
    """One way of sampling.

    Attributes:
        graph: the workflow file as it is, in ComfyUI's API format; not to be changed.
        choices_of_file: by role, then by precision ("": any), the files that can play it, the best first.
        guidance: what the first stage can be guided by; None: it is not guided.
        shift: of the first stage's noise levels; None: they are a fixed list.
        sound: which stage's is delivered, in the words of `[choices.sound]`; None: the graph says.
    """

    family: Family
    name: str
    description: str
    graph: Mapping[str, dict[str, Any]]
    steps: Steps
    guidance: Guidances | None
    shift: Shift | None
    sound: str | None
    choices_of_file: Mapping[str, Mapping[str, tuple[ModelFile, ...]]]

    @cached_property
    def titles(self) -> frozenset[str]:
        """Titles of the graph's nodes."""
        return frozenset(node["_meta"]["title"] for node in self.graph.values())

    @cached_property
    def node_classes(self) -> frozenset[str]:
        """Classes of nodes that the graph is made of."""
        return frozenset(node["class_type"] for node in self.graph.values())

    def offers(self, feature: Feature) -> bool:
        """Whether the recipe's graph has nodes for a feature."""
        return not self.titles.isdisjoint(self.family.features.get(feature, ()))

    def has_model(self, installed: Installed) -> bool:
        """Whether the file that stands for the model is here, at one precision or another."""
        files = self.choices_of_file[self.family.named_by].values()
        return any(installed(file) for by_precision in files for file in by_precision)

    def files(self, precision: str, installed: Installed) -> dict[str, ModelFile]:
        """The file of each role that is not a job's own choice, as camera and control are."""
        return {
            role: preferred(by_precision.get(precision) or by_precision[""], installed)
            for role, by_precision in self.choices_of_file.items()
        }

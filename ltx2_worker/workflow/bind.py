"""A recipe's complete graph, bound to one job: files and values put in, unused features bypassed.

Which node is meant by what is said in the family's tables; nothing here knows a model.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..catalog.family import Recipe
from ..catalog.files import ModelFile
from ..catalog.inputs import Choice, Feature, Series, Slot, Value
from .graph import Graph, node_kinds, repeated


@dataclass(frozen=True)
class Binding:
    """What one job puts into a graph.

    Attributes:
        files: by role; a role that the graph has no input for is left out.
        values: a value that the graph has no input for is left out.
        features: what the job uses; the nodes of all others are bypassed.
        choices: the value of each choice that is made.
        series: the values of each repetition of a series, in their order; none where it is not there.
    """

    files: Mapping[str, ModelFile]
    values: Mapping[Value, object]
    features: Collection[Feature]
    choices: Mapping[Choice, str]
    series: Mapping[Series, Sequence[Mapping[Value, object]]] = field(default_factory=dict)


def bind(recipe: Recipe, binding: Binding) -> Graph:
    """Return the recipe's graph with a job's files, values, features and choices."""
    family = recipe.family
    graph = Graph(recipe.graph, node_kinds())
    for role, file in binding.files.items():
        _set(graph, family.roles[role].into, file.name)
    for value, given in binding.values.items():
        _set(graph, family.slots.get(value, ()), given)
    for feature, titles in family.features.items():
        if feature not in binding.features:
            graph.bypass(*(title for title in titles if title in recipe.titles))
    for series, repetitions in binding.series.items():
        graph.repeat(family.series.get(series, ()), len(repetitions))
        for number, values in enumerate(repetitions):
            for value, given in values.items():
                _set(graph, family.slots.get(value, ()), given, number)
    for choice, chosen in binding.choices.items():
        table = family.choices[choice]
        graph.connect(table.into.title, table.into.name, table.sources[chosen], table.output)
    return graph


def _set(graph: Graph, slots: tuple[Slot, ...], value: object, repetition: int = 0) -> None:
    for slot in slots:
        if graph.takes(slot.title, slot.name):
            graph.set(repeated(slot.title, repetition), **{slot.name: value})

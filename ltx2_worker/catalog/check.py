"""Checks that a family's tables, its workflow files and the list of model files speak of the same things."""

from collections.abc import Iterator, Mapping
from typing import Any

from ltx2_api.fields import JobFields

from .files import ModelFile
from .inputs import ALWAYS, GUIDANCE, POSE, VALUES_OF, Choice, Feature, Slot, Value
from .tables import FamilyTable, FileIds

Graphs = Mapping[str, Mapping[str, dict[str, Any]]]

#: Roles whose file a job names, by the table that lists what it can name.
CHOSEN_BY_JOBS = {"camera": "cameras", "control": "controls"}


def faults(name: str, family: FamilyTable, graphs: Graphs, files: Mapping[str, ModelFile]) -> Iterator[str]:
    """Say what does not agree.

    Arguments:
        name: the family's.
        graphs: the complete graphs by recipe.
        files: the project's model files by id.
    """
    nodes = {recipe: _by_title(graph) for recipe, graph in graphs.items()}
    for recipe, graph in graphs.items():
        if len(nodes[recipe]) < len(graph):
            yield f"recipes.{recipe}: two nodes of its workflow share a title"
    yield from _unknown_nodes(family, nodes)
    yield from _unknown_files(name, family, files)
    for recipe in graphs:
        yield from _faults_of_recipe(recipe, family, nodes[recipe], files)
    for role in (family.named_by, *family.also_named):
        if role not in family.files:
            yield f"named_by, also_named: there is no role {role!r}"
    yield from _missing_tables(family)
    loras = {file.camera for file in files.values() if file.camera and name in file.families}
    if doubled := loras & set(family.cameras):
        yield f"cameras: files.toml has a LoRA for {', '.join(sorted(doubled))}"
    if unknown := set(family.instead) - set(JobFields.model_fields):
        yield f"instead: a job has no field {', '.join(sorted(unknown))}"
    structure = family.choices.get(Choice.STRUCTURE)
    if unfed := set(family.controls) - set(structure.sources if structure else ()):
        yield f"choices.structure: no node for {', '.join(sorted(unfed))}"
    sound = family.choices.get(Choice.SOUND)
    for recipe, table in family.recipes.items():
        if table.sound is not None and table.sound not in (sound.sources if sound else ()):
            yield f"recipes.{recipe}.sound: choices.sound has no node for {table.sound}"


def _missing_tables(family: FamilyTable) -> Iterator[str]:
    """Numbers that a feature cannot be planned without."""
    if Feature.REFINING in family.features and family.refining is None:
        yield "refining: a family that refines has this table"
    if Feature.DETAILER in family.features and family.detailing is None:
        yield "detailing: a family with a detailer has this table"
    if family.pose is None and not set(POSE).isdisjoint(family.slots):
        yield "pose: a family that draws poses has this table"


def _by_title(graph: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {node["_meta"]["title"]: node["inputs"] for node in graph.values()}


def _takes(nodes: Mapping[str, dict[str, Any]], slot: Slot) -> bool:
    """Whether the slot is a value that can be set, not a connection."""
    return slot.title in nodes and not isinstance(nodes[slot.title].get(slot.name, []), list)


def _unknown_nodes(family: FamilyTable, nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What no recipe has: a mistake in writing, as a recipe may lack what another one has."""
    slots = {f"slots.{value}": slots for value, slots in family.slots.items()}
    slots |= {f"files.{role}": table.into for role, table in family.files.items()}
    for key, listed in slots.items():
        for slot in listed:
            if not any(_takes(graph, slot) for graph in nodes.values()):
                yield f"{key}: no recipe has a value {slot}"
    titles: dict[str, tuple[str, ...]] = {f"features.{key}": named for key, named in family.features.items()}
    titles |= {f"series.{key}": named for key, named in family.series.items()}
    titles |= {f"stages.{key}": named for key, named in family.stages.items()}
    titles |= {
        f"choices.{key}": (table.into.title, *table.sources.values()) for key, table in family.choices.items()
    }
    known = {title for graph in nodes.values() for title in graph}
    for key, named in titles.items():
        if unknown := set(named) - known:
            yield f"{key}: no recipe has a node {', '.join(sorted(unknown))}"


def _unknown_files(name: str, family: FamilyTable, files: Mapping[str, ModelFile]) -> Iterator[str]:
    named: dict[str, FileIds] = {f"files.{role}": t.file for role, t in family.files.items() if t.file}
    named |= {
        f"recipes.{recipe}.files.{role}": ids
        for recipe, table in family.recipes.items()
        for role, ids in table.files.items()
    }
    named |= {f"controls.{kind}": {"": table.loras} for kind, table in family.controls.items()}
    for key, by_precision in named.items():
        if unknown := set(by_precision) - {"", *family.precisions}:
            yield f"{key}: there is no precision {', '.join(sorted(unknown))}"
        elif "" not in by_precision and len(by_precision) < len(family.precisions):
            yield f"{key}: a precision is missing"
        for file_id in (each for ids in by_precision.values() for each in ids):
            if file_id not in files:
                yield f"{key}: files.toml has no {file_id}"
            elif not files[file_id].made_for(name):
                yield f"{key}: {file_id} was made for {', '.join(files[file_id].families)}"


def _faults_of_recipe(
    recipe: str, family: FamilyTable, nodes: Mapping[str, dict[str, Any]], files: Mapping[str, ModelFile]
) -> Iterator[str]:
    table = family.recipes[recipe]
    if unknown := set(table.files) - set(family.files):
        yield f"recipes.{recipe}.files: there is no role {', '.join(sorted(unknown))}"
    for role, spec in family.files.items():
        loads = any(_takes(nodes, slot) for slot in spec.into)
        if loads and not (spec.file or role in table.files or role in CHOSEN_BY_JOBS):
            yield f"recipes.{recipe}: its graph loads {role}, and no file is named for it"
    taken = {value for value, slots in family.slots.items() if any(_takes(nodes, slot) for slot in slots)}
    needed = set(ALWAYS) | ({Value.STEPS} if table.steps.chosen else set())
    needed |= (set(GUIDANCE) if table.guidance else set()) | ({Value.SHIFT} if table.shift else set())
    for feature, titles in family.features.items():
        needed |= set(VALUES_OF.get(feature, ())) if not nodes.keys().isdisjoint(titles) else set()
    if lacking := needed - taken:
        yield f"recipes.{recipe}: its graph has no input for {', '.join(sorted(lacking))}"
    bound = {slot for spec in family.files.values() for slot in spec.into}
    names = {file.name for file in files.values()}
    for title, inputs in nodes.items():
        for name, value in inputs.items():
            if isinstance(value, str) and value in names and Slot(title, name) not in bound:
                yield f"recipes.{recipe}: {title}.{name} names a file, and no role stands for it"

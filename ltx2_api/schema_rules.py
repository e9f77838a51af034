"""The rules between a job's fields as JSON Schema: for programs, and for a form that shows what can apply.

They stand beside each other in `allOf`, each with its sentence. What a worker refuses is written in `job.py`
and in `ways/`; a test holds the two against each other.
Source of the format: JSON Schema, draft 2020-12.
"""

from typing import Any

from .fields import CHOSEN
from .inputs import BASE64, URL
from .names import NAMES
from .ways.source import NOT_BESIDE

Schema = dict[str, Any]


def add_rules(schema: Schema) -> None:
    """Add the rules to a job's schema, and to those of the objects inside of it.

    Arguments:
        schema: `JobInput.model_json_schema()`; it is changed.
    """
    for part in (schema, *schema["$defs"].values()):
        part["allOf"] = [
            _not_both(name, name.removesuffix(URL) + BASE64)
            for name in part["properties"]
            if name.endswith(URL)
        ]
    schema["allOf"] += _rules_between_fields()
    schema["$defs"]["ControlInput"]["allOf"] += [
        rule(
            "preprocessed needs a control video.",
            has("preprocessed", True),
            {"anyOf": [_given("video_url"), _given("video_base64")]},
        ),
    ]
    off = {name for name in NOT_BESIDE if schema["properties"][name].get("default") is False}
    for way in ("extend", "retake"):
        others = [has(name, True) if name in off else _given(name) for name in NOT_BESIDE if name != way]
        others.append(has("mode", "i2v"))
        beside = rule(f"What does not go with {way}.", _given(way), {"not": {"anyOf": others}})
        schema["allOf"].append(beside)
    media = [(f"{way}Input", "video") for way in ("Extend", "Retake", "Restyle")]
    for name, medium in (*media, ("Keyframe", "image")):
        both = [_given(medium + URL), _given(medium + BASE64)]
        schema["$defs"][name]["allOf"].append(
            {"$comment": f"It needs {medium}_url or {medium}_base64.", "anyOf": both}
        )
    for part in schema["$defs"].values():
        if not part["allOf"]:
            part.pop("allOf")


def _rules_between_fields() -> list[Schema]:
    has_image = {"anyOf": [_given("image_url"), _given("image_base64")]}
    return [
        rule("mode i2v needs a start image.", has("mode", "i2v"), has_image),
        rule("mode t2v takes no start image.", has("mode", "t2v"), {"not": has_image}),
        rule("image_strength needs a start image.", _given("image_strength"), has_image),
        rule(
            "audio_start needs a sound.",
            _given("audio_start"),
            {"anyOf": [_given("audio_url"), _given("audio_base64")]},
        ),
        rule(
            "audio false leaves out a sound that is sent.",
            has("audio", False),
            {"not": {"anyOf": [_given("audio_url"), _given("audio_base64")]}},
        ),
        rule(
            "end_image_strength needs an end image.",
            _given("end_image_strength"),
            {"anyOf": [_given("end_image_url"), _given("end_image_base64")]},
        ),
        rule(
            "control works with a start image.", _given("control"), {"anyOf": [has_image, _given("restyle")]}
        ),
        rule(f"steps can be set with quality {CHOSEN} only.", _given("steps"), _takes_steps()),
        rule(
            "camera_strength needs a camera other than none.",
            has("camera", "none"),
            {"not": _given("camera_strength")},
        ),
    ]


def _given(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def has(name: str, value: object) -> Schema:
    """A field has this value."""
    return {"required": [name], "properties": {name: {"const": value}}}


def _takes_steps() -> Schema:
    """A quality whose steps a job can choose; without one, the default's."""
    chosen = [has("quality", name) for name in NAMES.qualities if NAMES.takes_steps(name)]
    if NAMES.takes_steps(NAMES.qualities[0]):
        chosen.append({"not": _given("quality")})
    return chosen[0] if len(chosen) == 1 else {"anyOf": chosen}


def _not_both(one: str, other: str) -> Schema:
    return {"$comment": f"{one} or {other}, not both.", "not": {"allOf": [_given(one), _given(other)]}}


def rule(comment: str, condition: Schema, consequence: Schema) -> Schema:
    """One rule: where the condition holds, the consequence has to.

    Arguments:
        comment: the rule as a sentence.
    """
    return {"$comment": comment, "if": condition, "then": consequence}

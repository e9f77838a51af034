"""Prompt help: what the language model is asked, and whether what it wrote can be used.

Source: ltx-pipelines 1.2.0, `enhance_t2v` and `clean_response`: 512 new tokens; curly quotation marks and
dashes become plain ones, and what comes before the first letter is dropped.
"""

import re
from dataclasses import replace

from ltx2_api.fields import MAX_PROMPT
from ltx2_api.job import JobInput

from ...catalog.inputs import Feature
from ..plan import Plan
from ..refusals import no_such_field

#: Gemma's own marks for turns and pictures, which a caller's text could pretend to be.
_MARKS = re.compile(r"<[a-z_]{2,40}>")
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})
#: Below this a text is no scene; nor is one of which so much is neither letters nor spaces.
_LEAST_LETTERS, _LEAST_SHARE = 40, 0.7
#: The end of a text that was cut may be half a character; more of them are no text.
_BROKEN, _MOST_BROKEN = "\N{REPLACEMENT CHARACTER}", 1
#: A model that goes round in circles says the same words again and again.
_CIRCLE_WORDS, _CIRCLES = 6, 3


def planned(job: JobInput, plan: Plan) -> Plan:
    """Have the prompt written out."""
    if not job.enhance_prompt:
        return plan
    if not plan.recipe.offers(Feature.ENHANCE):
        raise no_such_field("enhance_prompt", plan.recipe)
    return replace(plan, enhances=True)


def draft(prompt: str) -> str:
    """A caller's prompt as the language model gets it."""
    return " ".join(_MARKS.sub(" ", prompt).split())


def usable(written: str) -> str | None:
    """What the language model wrote as a prompt, or None if it is none."""
    text = _MARKS.sub(" ", written.translate(_PLAIN))
    if text.count(_BROKEN) > _MOST_BROKEN:
        return None
    # A control character is no speech, and some databases take no text that has one.
    text = "".join(" " if not character.isprintable() else character for character in text)
    text = text.replace(_BROKEN, " ")
    first = next((place for place, character in enumerate(text) if character.isalpha()), len(text))
    text = " ".join(text[first:].split())[:MAX_PROMPT]
    letters = sum(character.isalpha() for character in text)
    readable = sum(character.isalpha() or character in " .,;:'\"!?-" for character in text)
    if letters < _LEAST_LETTERS or readable < _LEAST_SHARE * len(text) or _goes_in_circles(text):
        return None
    return text


def _goes_in_circles(text: str) -> bool:
    words = text.casefold().split()
    half = len(words) // 2
    if half >= _CIRCLE_WORDS and words[:half] == words[half : 2 * half]:
        return True
    seen: dict[tuple[str, ...], int] = {}
    for place in range(len(words) - _CIRCLE_WORDS + 1):
        run = tuple(words[place : place + _CIRCLE_WORDS])
        seen[run] = seen.get(run, 0) + 1
        if seen[run] >= _CIRCLES:
            return True
    return False

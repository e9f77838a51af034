"""How much of a prompt the model reads: the text encoder's own tokenizer counts, and what is too long is cut.

LTX-2's pipelines cut a prompt at 1,024 tokens, the first of which begins the text
(Lightricks/LTX-2, `ltx_core/text_encoders/gemma/tokenizer.py`). ComfyUI cuts nothing: its encoder works on
for minutes. The tokenizer lies in the encoder's file, as ComfyUI reads it (`comfy/text_encoders/lt.py`).
"""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from ..catalog.files import ModelFile
from .plan import Plan, with_sentence

log = logging.getLogger(__name__)

MAX_TOKENS = 1024
#: Characters that are quoted of where a prompt was cut.
_QUOTED = 40
#: The header of a safetensors file is JSON of at most this length (its own format's limit).
_LONGEST_HEADER = 100_000_000


def readable(plan: Plan, find: Callable[[ModelFile], Path | None]) -> tuple[Plan, tuple[str, ...]]:
    """Return a plan with as much of its prompt as the model reads, and a warning if that is not all.

    Arguments:
        find: tells where a model file is; where no text encoder is, as for a dry run, nothing is cut.
    """
    encoders = (file for file in plan.files.values() if file.folder == "text_encoders")
    path = next((path for file in encoders if (path := find(file))), None)
    prompt, warning = cut_prompt(plan.prompt, path, plan.sentence) if path else (plan.prompt, None)
    return replace(plan, prompt=prompt), (warning,) if warning else ()


def cut_prompt(prompt: str, text_encoder: Path, sentence: str = "") -> tuple[str, str | None]:
    """Return what the model reads of a prompt, and a sentence for the caller if that is not all of it.

    Arguments:
        prompt: the caller's.
        text_encoder: the safetensors file with the tokenizer; one that has none cuts nothing.
        sentence: what comes after the prompt, for which room is left.
    """
    tokenizer = _tokenizer(text_encoder)
    if tokenizer is None:
        return prompt, None
    ends = [end for _, end in tokenizer.encode(prompt, return_type="offset_mapping")["offsets"]]
    most = MAX_TOKENS - 1 - (len(tokenizer.encode(with_sentence(".", sentence))) if sentence else 0)
    if len(ends) <= most:
        return prompt, None
    read = prompt[: ends[most - 1]]
    while len(tokenizer.encode(read)) > most:  # the end of a text can be divided in another way
        read = read[:-1]
    return read, (
        f"The model reads {MAX_TOKENS:,} tokens of a prompt and this one has {len(ends) + 1:,}: it was cut "
        f'after "{read[-_QUOTED:].strip()}".'
    )


@lru_cache(maxsize=4)
def _tokenizer(text_encoder: Path) -> SentencePieceProcessor | None:
    try:
        return SentencePieceProcessor(model_proto=_tensor(text_encoder, "spiece_model"))
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        log.warning("prompt tokens not counted", extra={"file": text_encoder.name, "error": str(error)})
        return None


def _tensor(path: Path, name: str) -> bytes:
    """The bytes of a tensor in a safetensors file: 8 bytes of length, a JSON header, the tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError("no safetensors file")
        begin, end = json.loads(file.read(length))[name]["data_offsets"]
        file.seek(8 + length + begin)
        return file.read(end - begin)

"""A prompt longer than the model reads is cut where the model's makers cut it, and its caller is told."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from ltx2_worker.plan import prompt as prompts
from ltx2_worker.plan.prompt import MAX_TOKENS, cut_prompt

pytestmark = pytest.mark.engine

MODELS = os.environ.get("LTX2_MODELS_DIRS", "").split(":")[0]
ENCODER = Path(MODELS) / "text_encoders" / "gemma_3_12B_it_fp4_mixed.safetensors"


def tokens(text: str) -> int:
    """As ComfyUI counts them: with the one that begins the text."""
    tokenizer = prompts._tokenizer(ENCODER)
    assert isinstance(tokenizer, SentencePieceProcessor)
    return len(tokenizer.encode(text, add_bos=True))


@given(st.text(max_size=600))
@settings(max_examples=200, deadline=None)
def test_a_prompt_is_cut_at_the_limit_and_only_there(text: str) -> None:
    read, warning = cut_prompt(text, ENCODER)
    assert text.startswith(read)
    assert tokens(read) <= MAX_TOKENS
    assert (read == text) == (warning is None) == (tokens(text) <= MAX_TOKENS)


def test_four_thousand_emoji_are_cut_and_the_caller_is_told() -> None:
    read, warning = cut_prompt("\U0001f600" * 4000, ENCODER)
    assert MAX_TOKENS - 8 < tokens(read) <= MAX_TOKENS
    assert warning is not None
    assert "reads 1,024 tokens" in warning


def test_a_file_without_a_tokenizer_cuts_nothing(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"\xff" * 100, b"\x02" + bytes(7) + b"{}")):
        path = tmp_path / str(number)
        path.write_bytes(content)
        assert cut_prompt("x" * 4000, path) == ("x" * 4000, None)

"""Makes the tiny text encoder one that writes: a sentence, token by token. Run by the engine's Python.

Usage: python -m tests.platform.writing_encoder TINY_FILE WRITING_FILE SENTENCE UNWRITTEN

Its random weights write no prompts. Here each token of SENTENCE has a dimension of its own, and the first
layer looks up from it which token comes next; the last one is followed by the end of the turn, every other
token by the first. A prompt with the character UNWRITTEN gets nothing: the layer's attention, the same to all
tokens, sees it anywhere. All other layers add nothing to what they get. Tokenizer and code are the real ones.
"""

import sys
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import load_file, save_file

#: Gemma's <end_of_turn>, at which ComfyUI stops (comfy/text_encoders/lt.py, `Gemma3_12BModel.generate`).
END_OF_TURN = 106
LAYERS = 48

State = dict[str, torch.Tensor]


def main(tiny: Path, target: Path, sentence: str, unwritten: str) -> None:
    """Write the file."""
    state = load_file(tiny)
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=state["spiece_model"].numpy().tobytes())
    chain = [*tokenizer.encode(sentence), END_OF_TURN]
    if len(set(chain)) < len(chain):
        raise SystemExit("a token of the sentence comes twice: what follows it would not be known")
    sign = tokenizer.encode(unwritten)[-1]
    for number in range(LAYERS):
        for part in ("self_attn.o_proj", "mlp.down_proj"):
            state[f"model.layers.{number}.{part}.weight"].zero_()
    _embed(state, chain, sign)
    _look_up(state, len(chain))
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, target)


def _embed(state: State, chain: list[int], sign: int) -> None:
    """A dimension for each token of the chain, one that all others share, and two for the sign."""
    embeddings, other = state["model.embed_tokens.weight"], len(chain)
    embeddings[:, : other + 3] = 0.0
    embeddings /= embeddings.norm(dim=1, keepdim=True)
    embeddings[:, other] = 0.5
    state["multi_modal_projector.mm_input_projection_weight"][:, : other + 3] = 0.0
    for dimension, token in enumerate(chain):
        embeddings[token] = 0.0
        embeddings[token, dimension] = 1.0
    embeddings[sign] = 0.0
    embeddings[sign, other + 1] = 1.0


def _look_up(state: State, tokens: int) -> None:
    """The first layer: what a token's dimension, and the sign, is turned into."""
    layer = {
        key.removeprefix("model.layers.0."): value for key, value in state.items() if "model.layers.0." in key
    }
    for key, value in layer.items():
        if key != "post_feedforward_layernorm.weight":
            value.zero_()
    # What comes next counts four times as much as the token itself.
    layer["post_feedforward_layernorm.weight"].fill_(3.0)
    end, other, sign, seen = tokens - 1, tokens, tokens + 1, tokens + 2
    layer["self_attn.v_proj.weight"][0, sign] = 1.0
    layer["self_attn.o_proj.weight"][seen, 0] = 1.0
    following = {dimension: dimension + 1 for dimension in range(end)} | {other: 0, seen: end}
    for neuron, (dimension, next_one) in enumerate(following.items()):
        for part in ("gate_proj", "up_proj"):
            layer[f"mlp.{part}.weight"][neuron, dimension] = 1.0
        layer["mlp.down_proj.weight"][next_one, neuron] = 8.0 if dimension == seen else 1.0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])

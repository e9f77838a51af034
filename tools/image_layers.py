"""What the Dockerfile and the bake file say of the weights; `python -m tools.reference` writes it.

One stage for each layer of files.toml fetches its files, one line copies them into the image. Both stand
between marks in the Dockerfile, which is otherwise written by hand, as are the variants in docker-bake.hcl.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ltx2_worker.catalog.files import ModelFile, in_sets, manifest

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "Dockerfile"
BAKE_FILE = ROOT / "docker-bake.hcl"

#: An image without weights, unpacked, in gigabytes.
SLIM = 7

#: Where a line of ids is broken, in characters.
WIDTH = 70


def dockerfile() -> str:
    """Return the Dockerfile as it should be."""
    layers = _layers(manifest())
    stages = "\n\n".join(
        f"FROM downloader AS weights-{name}\nRUN --mount=type=secret,id=hf_token {_fetch(ids)}"
        for name, ids in layers.items()
    )
    copies = "\n".join(f"COPY --from=weights-{name} /weights/ /opt/models/" for name in layers)
    text = DOCKERFILE.read_text(encoding="utf-8")
    return _between(_between(text, "layers", stages), "copies", copies)


def bake_file() -> str:
    """Return the bake file with the sizes of its variants as they should be."""
    text = BAKE_FILE.read_text(encoding="utf-8")
    for name, body in re.findall(r'target "(\w+)" \{\n(.*?)\n\}', text, re.DOTALL):
        chosen = re.search(r'MODEL_SET = "(.+)"', body)
        if not chosen:
            continue
        listed = chosen[1]
        weights = sum(file.size for file in in_sets(manifest().values(), listed.split())) / 1e9
        held = f"{', '.join(listed.split())}: {weights:.1f} GB of weights"
        line = f"#   {name:<7} about {SLIM + weights:.0f} GB    {held}"
        text = re.sub(rf"^#   {name} .*$", line, text, flags=re.MULTILINE)
    return text


def _layers(files: Mapping[str, ModelFile]) -> dict[str, list[str]]:
    layers: dict[str, list[str]] = {}
    for file in files.values():
        if file.layer:
            layers.setdefault(file.layer, []).append(file.id)
    return layers


def _fetch(ids: list[str]) -> str:
    lines = ["fetch"]
    for each in ids:
        if len(lines[-1]) + len(each) > WIDTH:
            lines.append("   ")
        lines[-1] += f" {each}"
    return " \\\n".join(lines)


def _between(text: str, name: str, body: str) -> str:
    pattern = re.compile(rf"(# <{name}[^\n]*>\n).*?(# </{name}>)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}{body}\n{match[2]}", text)

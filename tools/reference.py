"""Writes what the documents say of the code, from the code: `python -m tools.reference`.

The files in schema/, and the names that a caller may use, are written whole. Tables stand between
`<!-- NAME -->` and `<!-- /NAME -->` in documents that are otherwise written by hand. The Dockerfile's layers
of weights, sizes in docker-bake.hcl and settings in the Hub listing are written too. A test fails when any
of them is out of date.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ltx2_worker.catalog.catalogue import catalogue

from . import hub_listing, image_layers, names, schemas
from .tables import TABLES

ROOT = Path(__file__).parent.parent

#: Files for programs, in schema/.
FOR_PROGRAMS: dict[str, Callable[[], dict[str, Any]]] = {
    "input.json": schemas.input_schema,
    "output.json": schemas.output_schema,
    "progress.json": schemas.progress_schema,
    "status.json": schemas.status_schema,
    "prices.json": schemas.price_list,
    "studio.json": schemas.studio_openapi,
}


def expected_files() -> dict[Path, str]:
    """Return every generated file, and every document with generated tables, as it should be."""
    files = {ROOT / "schema" / name: _pretty(make()) for name, make in FOR_PROGRAMS.items()}
    files |= {
        names.PLACE: names.names(catalogue()),
        hub_listing.LISTING: hub_listing.listing(),
        image_layers.DOCKERFILE: image_layers.dockerfile(),
        image_layers.BAKE_FILE: image_layers.bake_file(),
    }
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]):
        files[path] = _with_tables(path.read_text(encoding="utf-8"))
    return files


def stale() -> list[str]:
    """Return the files that are not as they should be."""
    return [
        str(path.relative_to(ROOT))
        for path, text in expected_files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def _pretty(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2) + "\n"


def _with_tables(text: str) -> str:
    for name, table in TABLES.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = pattern.sub(lambda match, table=table: f"{match[1]}{table()}{match[2]}", text)  # type: ignore[misc]
    return text


def main() -> None:
    """Bring everything up to date."""
    wanted = names.names(catalogue())
    if names.PLACE.read_text(encoding="utf-8") != wanted:
        names.PLACE.write_text(wanted, encoding="utf-8")
        # This process has read the old names, of which schemas and tables would be made.
        os.execv(sys.executable, [sys.executable, "-m", "tools.reference"])  # noqa: S606
    for path, text in expected_files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

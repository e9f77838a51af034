"""A copy of what is deployed and of what is generated from it, for tests that add data to the project."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PARTS = (
    *(
        "ltx2_api",
        "ltx2_client",
        "ltx2_studio",
        "ltx2_worker",
        "workflows",
        "tools",
        "schema",
        "docs",
        ".runpod",
    ),
    *("README.md", "Dockerfile", "docker-bake.hcl"),
)


def copy_of_project(target: Path) -> Path:
    """Copy the project into a folder that does not exist yet, and return the folder."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, target / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
        else:
            shutil.copy(ROOT / part, target / part)
    return target

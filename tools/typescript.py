"""Writes schema/studio.ts, the API's types for a front-end: `python -m tools.typescript`, from studio.json.

The generator (openapi-typescript, pinned in tools/npm) needs node and npm, which the tests' machine need not
have. So the file says in its first lines of what it was made and what it holds: whether it is out of date,
or was edited by hand, is found without node. `--check` makes it anew beside the committed one, compares, and
compiles a program that uses it; CI does that where node is.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
NPM = ROOT / "tools" / "npm"
OPENAPI = ROOT / "schema" / "studio.json"
TYPES = ROOT / "schema" / "studio.ts"

_COMMAND = "python -m tools.typescript"
_SECONDS = 300


def headed(generated: str) -> str:
    """The generated types under lines that say of what they were made."""
    return (
        f"// Made by `{_COMMAND}`; not to be edited.\n"
        f"// studio.json: sha256 {sha256(OPENAPI.read_bytes()).hexdigest()}\n"
        f"// the rest of this file: sha256 {sha256(generated.encode()).hexdigest()}\n"
        f"{generated}"
    )


def fault() -> str | None:
    """What is wrong with the committed types; None if nothing is."""
    if not TYPES.exists():
        return f"{TYPES.name} is missing: run {_COMMAND}"
    _, openapi, rest, generated = TYPES.read_text(encoding="utf-8").split("\n", 3)
    if not openapi.endswith(sha256(OPENAPI.read_bytes()).hexdigest()):
        return f"{TYPES.name} was made of another {OPENAPI.name}: run {_COMMAND}"
    if not rest.endswith(sha256(generated.encode()).hexdigest()):
        return f"{TYPES.name} was edited by hand: run {_COMMAND}"
    return None


def generate() -> str:
    """The types as the generator makes them; raises SystemExit where it cannot run."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("This needs node and npm: https://nodejs.org")
    # npm looks at the lock's hashes; no package's own script is run.
    _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "studio.ts"
        options = ("--alphabetize", "--root-types", "--root-types-no-schema-prefix")
        _run(npm, "exec", "--", "openapi-typescript", str(OPENAPI), "--output", str(made), *options)
        return made.read_text(encoding="utf-8")


def check() -> str | None:
    """What is wrong with the committed types, by the generator and by the compiler; None if nothing is."""
    if headed(generate()) != TYPES.read_text(encoding="utf-8"):
        return f"{TYPES.name} is not what the generator makes: run {_COMMAND}"
    _run(str(shutil.which("npm")), "run", "check")
    return None


def main() -> int:
    """Write the types, or check them."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if they are out of date")
    if parser.parse_args().check:
        wrong = fault() or check()
        sys.stdout.write(f"{wrong or 'The types are up to date.'}\n")
        return 1 if wrong else 0
    TYPES.write_text(headed(generate()), encoding="utf-8")
    return 0


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=NPM, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())

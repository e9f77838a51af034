"""What is in the image, its known faults, and keys that were committed: `python3 -m local audit`."""

import json
import subprocess
from pathlib import Path

from local.environments import AUDIT
from local.places import REQUIREMENTS, ROOT

#: The locks that the image is made from.
IN_THE_IMAGE = ("bootstrap", "handler", "download", "engine")
#: Hashes of models and packages look like keys to these detectors.
_NOT_KEYS = ("HexHighEntropyString", "Base64HighEntropyString")
#: Tests have keys of stores that exist for a test only; locks are hashes.
_NOT_SCANNED = r"^tests/|\.lock$"


def audit(folder: Path) -> int:
    """Write the list of parts, ask for known faults, look for keys; return the exit status.

    Arguments:
        folder: for `NAME.cdx.json`, a list of parts (CycloneDX 1.6) for each lock of the image. What the
            base image and ComfyUI bring beside Python packages is not in them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = False
    # --strict: what could not be asked for is a failure too.
    for name in IN_THE_IMAGE:
        lock, listed = REQUIREMENTS / f"{name}.lock", folder / f"{name}.cdx.json"
        parts = ["requirements", "--output-reproducible", "--of", "JSON", "-o", str(listed), str(lock)]
        _tool("cyclonedx-py", *parts).check_returncode()
        print(f"{listed}: {len(json.loads(listed.read_text())['components'])} packages", flush=True)
        asked = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off")
        found |= _tool("pip-audit", *asked, "--requirement", str(lock)).returncode != 0
    return int(found | _keys_were_committed())


def _keys_were_committed() -> bool:
    options = ["--exclude-files", _NOT_SCANNED]
    for detector in _NOT_KEYS:
        options += ["--disable-plugin", detector]
    scan = _tool("detect-secrets", "scan", *options, capture=True)
    scan.check_returncode()
    results = json.loads(scan.stdout)["results"]
    for file, findings in results.items():
        for finding in findings:
            print(f"{file}:{finding['line_number']}: looks like a key ({finding['type']})")
    print(f"keys that were committed: {sum(map(len, results.values()))}")
    return bool(results)


def _tool(name: str, *arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    command = [str(AUDIT.folder / "bin" / name), *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, text=True, capture_output=capture)

"""Cases that were tried and survived, by class, out of pytest's own reports, into docs/reliability.md.

    python3 -m local test --junitxml report.xml -m "slow or not slow" tests/faults tests/media ...
    python -m tools.figures report.xml [another.xml ...]

A case is a test, or as many as the test says it tried: its property `cases`, or hypothesis's own count. A
class is whatever lies in the files that `CLASSES` names. A test that was skipped was not tried.
"""

import base64
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: python -m tools.figures -->", "<!-- end of figures -->"

#: Class -> the files of its tests, as the beginnings of their module names.
CLASSES = {
    "bodies of jobs": ("unit.test_job", "unit.test_bounds", "unit.test_schemas", "unit.test_prompt"),
    "the platform: takes, stops, results, progress, garbage": ("platform.",),
    "URLs and media servers": ("media.test_fetch", "media.test_inputs", "media.test_base64"),
    "pictures and videos that are hostile, odd or broken": ("media.",),
    "the engine: crashes, hangs, bad network": ("faults.test_engine", "faults.test_stream"),
    "the engine under limits: GPU memory, the device, the container's memory": (
        "faults.test_device",
        "faults.test_memory",
    ),
    "stores: slow, failing, lying, full, read-only": ("storage.",),
    "deliveries with crashes between any two calls (a model)": ("storage.test_delivery", "storage.test_kill"),
    "answers to the client, and downloads": ("client.",),
    "requests to the studio, and what its endpoint answers": ("studio.",),
}

_EXAMPLES = re.compile(r"(\d+) passing")


@dataclass(frozen=True)
class Figures:
    """One class: cases that were tried, and those of tests that passed."""

    tried: int = 0
    survived: int = 0

    def plus(self, cases: int, *, passed: bool) -> "Figures":
        """With some more cases."""
        return Figures(self.tried + cases, self.survived + cases * passed)


def count(reports: Iterable[ElementTree.Element]) -> dict[str, Figures]:
    """The figures of each class; a test that stands in several reports counts once, as it ended last."""
    tests: dict[str, tuple[str, int, bool]] = {}
    for report in reports:
        examples = _examples(report)
        for test in report.iter("testcase"):
            module, name = test.get("classname", ""), test.get("name", "")
            kind = _class(module.removeprefix("tests."))
            if kind is None or test.find("skipped") is not None:
                continue
            told = test.find("properties/property[@name='cases']")
            cases = int(told.get("value", "1")) if told is not None else examples.get(_key(module, name), 1)
            passed = test.find("failure") is None and test.find("error") is None
            tests[f"{module}::{name}"] = (kind, cases, passed)
    figures = dict.fromkeys(CLASSES, Figures())
    for kind, cases, passed in tests.values():
        figures[kind] = figures[kind].plus(cases, passed=passed)
    return {kind: counted for kind, counted in figures.items() if counted.tried}


def table(figures: dict[str, Figures]) -> str:
    """The figures as Markdown."""
    rows = [f"| {kind} | {one.tried:,} | {one.survived:,} |" for kind, one in figures.items()]
    whole = Figures(sum(one.tried for one in figures.values()), sum(one.survived for one in figures.values()))
    rows.append(f"| all | {whole.tried:,} | {whole.survived:,} |")
    return "\n".join(["| class | cases tried | survived |", "| --- | --- | --- |", *rows])


def written(page: str, text: str) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise ValueError(f"{PAGE.name} has no place for figures")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main(paths: Sequence[str]) -> int:
    """Write the page's table out of these reports."""
    text = table(count(ElementTree.parse(path).getroot() for path in paths))  # noqa: S314 - our own reports
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    sys.stdout.write(text + "\n")
    return 0


def _class(module: str) -> str | None:
    """The class whose beginning is the longest that fits."""
    fitting = [
        (len(start), kind) for kind, starts in CLASSES.items() for start in starts if module.startswith(start)
    ]
    return max(fitting)[1] if fitting else None


def _examples(report: ElementTree.Element) -> dict[str, int]:
    """What hypothesis's own plugin says of its tests: module and name -> examples."""
    found = {}
    for told in report.iter("property"):
        name = told.get("name", "")
        if name.startswith("hypothesis-statistics-"):
            text = base64.b64decode(told.get("value", "")).decode(errors="replace")
            module, _, test = name.removeprefix("hypothesis-statistics-").partition("::")
            key = _key(module.removesuffix(".py").replace("/", "."), test)
            found[key] = sum(int(number) for number in _EXAMPLES.findall(text))
    return found


def _key(module: str, name: str) -> str:
    return f"{module}::{name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

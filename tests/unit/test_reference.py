"""What the documents say of the code is what the code says."""

from ltx2_api.errors import EXPLANATIONS, ErrorCode
from tools.reference import ROOT, expected_files


def test_schemas_and_tables_are_current() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in expected_files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, f"out of date: {', '.join(stale)}; run python -m tools.reference"


def test_every_error_code_is_explained() -> None:
    assert set(EXPLANATIONS) == set(ErrorCode)

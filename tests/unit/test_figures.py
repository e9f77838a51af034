"""The table of cases in docs/reliability.md is made of pytest's reports."""

from base64 import b64encode
from xml.etree import ElementTree

import pytest

from tools.figures import BEGIN, END, PAGE, Figures, count, table, written

STATISTICS = b64encode(b"- 20 passing, 0 failing\n- 5 passing, 1 failing").decode()
REPORT = f"""<testsuites><testsuite>
<properties>
  <property name="hypothesis-statistics-tests/unit/test_job.py::test_any" value="{STATISTICS}"/>
</properties>
<testcase classname="tests.unit.test_job" name="test_any"/>
<testcase classname="tests.unit.test_job" name="test_one"><failure>x</failure></testcase>
<testcase classname="tests.storage.test_kill" name="test_killed"/>
<testcase classname="tests.storage.test_mounts" name="test_full"><skipped/></testcase>
<testcase classname="tests.media.test_hostile" name="test_all">
  <properties><property name="cases" value="150"/></properties></testcase>
<testcase classname="tests.unit.test_settings" name="test_of_no_class"/>
</testsuite></testsuites>"""


def test_cases_are_counted_by_class_and_a_skipped_test_is_none() -> None:
    report = ElementTree.fromstring(REPORT)
    assert count([report, report]) == {
        "bodies of jobs": Figures(26, 25),
        "pictures and videos that are hostile, odd or broken": Figures(150, 150),
        "deliveries with crashes between any two calls (a model)": Figures(1, 1),
    }


def test_the_table_goes_to_its_place_and_nowhere_else() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    text = table({"bodies of jobs": Figures(2, 1)})
    assert written(page, text) == f"above\n{BEGIN}\n{text}\n{END}\nbelow\n"
    assert "| all | 2 | 1 |" in text
    with pytest.raises(ValueError, match="no place"):
        written("a page", text)
    assert written(PAGE.read_text(encoding="utf-8"), text)

import json
from datetime import datetime

import pytest
from rich.console import Console

from layerwise.cli.tabular import table_text, write_columns
from layerwise.storage.sql import make_frame

WIDE = {"name": ["a" * 30, "b"], "command": ["run " * 20, None], "n": [1, 2]}


def test_a_table_that_is_too_wide_for_the_terminal_has_a_line_for_each_value():
    said = table_text(WIDE, Console(width=60, force_terminal=True, color_system=None)).splitlines()
    assert said[0] == "row 1"
    assert said[1].split() == ["name", "a" * 30]
    assert said[-1] == "(2 rows)"


def test_in_a_pipe_a_row_stays_a_line_however_wide():
    said = table_text(WIDE, Console(width=60, force_terminal=False)).splitlines()
    assert len(said) == 4
    assert said[1].split()[:2] == ["a" * 30, "run"]


def test_a_table_that_fits_is_a_table():
    said = table_text({"a": [1], "b": [None]}, Console(width=60, force_terminal=True, color_system=None))
    assert [line.split() for line in said.splitlines()] == [["a", "b"], ["1"], ["(1", "row)"]]


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize(
    "column",
    [
        ["a", None, ""],
        [3, None, -(2**62)],
        [0.1, 1e-7, 1e16, None],
        [True, False, None],
        [None, None],
        [],
        [1, 2.5],
        [True, 2],
        [b"blob", None],
        [datetime(2026, 11, 27, 22, 5), None],
    ],
    ids=str,
)
def test_an_answer_is_written_as_its_frame_would_be(capsys, column, form):
    write_columns({"x": column}, form, None)
    ours = capsys.readouterr().out
    framed = make_frame({"x": column})
    values = framed["x"].to_list()
    if isinstance(next(iter(column), None), bytes):
        values = ["<4 bytes>", None]
    if form == "table":
        assert ours == table_text({"x": values}, Console(width=200))
    else:
        assert json.loads(ours) == [{"x": str(one) if isinstance(one, datetime) else one} for one in values]

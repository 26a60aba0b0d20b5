import polars as pl
from rich.console import Console

from layerwise.cli.tabular import table_text

WIDE = pl.DataFrame({"name": ["a" * 30, "b"], "command": ["run " * 20, None], "n": [1, 2]})


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
    said = table_text(
        pl.DataFrame({"a": [1], "b": [None]}), Console(width=60, force_terminal=True, color_system=None)
    )
    assert [line.split() for line in said.splitlines()] == [["a", "b"], ["1"], ["(1", "row)"]]

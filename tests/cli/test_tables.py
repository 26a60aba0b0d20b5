"""Tables that are written at once: to the letter what Rich makes of them."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from rich.text import Text

from layerwise.cli.output import make_table

HEADS = ("name", "n", "見出し")
CELL = st.one_of(
    st.none(),
    st.integers(-9, 99999),
    st.sampled_from(["", "a", "two words ", "[bold]", "漢字", "é", "a\nb"]),
)


def print_to_text(table: object, width: int) -> str:
    console = Console(file=io.StringIO(), highlight=False, width=width)
    console.print(table)
    return console.file.getvalue()


def make_with_rich(rows: list[tuple[object, ...]], heads: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=heads)
    for head in HEADS:
        right = head == "n"
        table.add_column(head, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table


@given(rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=4), heads=st.booleans(), width=st.sampled_from([9, 99]))
def test_a_table_is_what_rich_makes_of_it(rows, heads, width):
    ours = print_to_text(make_table(HEADS, rows, right=("n",), heads=heads), width)
    assert ours == print_to_text(make_with_rich(rows, heads), width)


def test_heads_are_bold_on_a_terminal():
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=40)
    console.print(make_table(("run", "n"), [("a", 1)]))
    head, row = console.file.getvalue().splitlines()
    assert head.startswith("\x1b[1mrun")
    assert "\x1b" not in row

"""Plain tables, written at once where they fit; ten thousand rows take Rich, which can fold them, seven seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

_BOLD = Style(bold=True)


class PlainTable:
    """A table that a Rich console prints: cells as they are, folded only where all of it is too wide."""

    def __init__(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str], *, heads: bool
    ) -> None:
        """A table of these columns.

        Args:
            columns: Heads.
            rows: Cells; None is shown as nothing.
            right: Heads of the columns that are aligned to the right.
            heads: Whether the heads are shown.
        """
        self._columns, self._right, self._heads = list(columns), set(right), heads
        self._rows = [["" if cell is None else str(cell) for cell in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType | Segment]:
        """What Rich asks for: the lines, or a table of its own that it folds."""
        shown = [self._columns, *self._rows] if self._heads else self._rows
        if not all(cell.isprintable() for row in shown for cell in row):
            yield self._as_rich()
            return
        widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]
        if not widths or min(widths) == 0 or sum(widths) + 2 * (len(widths) - 1) > options.max_width:
            yield self._as_rich()
            return
        if self._heads:
            yield Segment(self._line(self._columns, widths), _BOLD)
            yield Segment.line()
        if self._rows:
            yield Segment("\n".join(self._line(row, widths) for row in self._rows))
            yield Segment.line()

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = []
        for head, cell, width in zip(self._columns, row, widths, strict=True):
            text = cell.rstrip()
            space = " " * (width - _width(text))
            cells.append(space + text if head in self._right else text + space)
        return "  ".join(cells)

    def _as_rich(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold", show_header=self._heads)
        for column in self._columns:
            is_right = column in self._right
            justify: Literal["left", "right"] = "right" if is_right else "left"
            table.add_column(column, justify=justify, no_wrap=is_right, overflow="fold")  # no name loses its end
        for row in self._rows:
            table.add_row(*map(Text, row))
        return table


def _width(cell: str) -> int:
    """Columns of a terminal that a text takes."""
    return len(cell) if cell.isascii() else cell_len(cell)

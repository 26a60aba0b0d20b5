import io
import re

import numpy as np
import pytest
from rich.console import Console

from layerwise.cli.printing.matrix import print_matrix

NAMES = [f"layer{index}" for index in range(12)]
MATRIX = np.linspace(0, 1, 144).reshape(12, 12)


def draw(width, **how):
    file = io.StringIO()
    print_matrix(Console(file=file, width=width, highlight=False, **how), NAMES, MATRIX)
    return file.getvalue()


def test_numbers_are_printed_where_there_is_room():
    said = draw(100, force_terminal=True, no_color=True)
    assert "0.00 0.01" in said
    assert "1.00" in said


def test_in_a_pipe_numbers_are_printed_however_many_there_are():
    assert "1.00" in draw(20, force_terminal=False)


@pytest.mark.parametrize("how", [{"no_color": True}, {"color_system": None}])
def test_where_there_is_neither_room_nor_colour_shades_tell_low_from_high(how):
    said = draw(40, force_terminal=True, **how)
    assert "\u2588\u2588" in said.splitlines()[11]
    assert "\u2588" not in said.splitlines()[0]
    assert "shades from 0.00 (empty) to 1.00 (full)" in said


def test_where_there_is_no_room_colours_stand_for_numbers():
    said = draw(40, force_terminal=True, color_system="truecolor", no_color=False)
    assert "48;2;253;231;37" in said
    assert "colours from 0.00 (dark) to 1.00 (bright)" in said


@pytest.mark.parametrize("width", [20, 27, 40, 60, 80, 200])
@pytest.mark.parametrize("colours", [True, False])
def test_no_column_is_left_out_however_narrow_the_terminal_is(width, colours):
    how = {"color_system": "truecolor", "no_color": False} if colours else {"no_color": True}
    said = draw(width, force_terminal=True, **how)
    plain = re.sub("\x1b\\[[0-9;]*m", "", said)
    rows = [line for line in plain.splitlines() if re.match(r"\d+ layer0", line)]
    if "columns" in plain:
        assert "columns 0 to " in plain
        assert " to 11 of 12:" in plain
        assert len(rows) > 1
    elif not colours and "shades" in plain:
        cells = plain.splitlines()[11].removeprefix("11 layer11").lstrip()
        assert len(cells) in (12, 24)
    else:
        assert len(rows) == 1

"""Heatmaps of labelled matrices: honest colours, and matrices of any size."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.notebook.pictures import draw_heatmap


def names(count: int) -> list[str]:
    """Labels."""
    return [f"s{index}" for index in range(count)]


def domain(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[float]:
    """Ends of the colour scale."""
    chart = draw_heatmap(values, names(len(values)), names(values.shape[1]), "r", "similarity").to_dict()
    found: list[float] = chart["encoding"]["color"]["scale"]["domain"]
    return found


def test_colours_run_around_zero_only_where_something_is_negative() -> None:
    assert (domain(np.array([[0.2, 1.0]]))[0], domain(np.array([[0.2, 1.0]]))[-1]) == (0.2, 1.0)
    assert (domain(np.array([[-0.2, 1.0]]))[0], domain(np.array([[-0.2, 1.0]]))[-1]) == (-1.0, 1.0)


def test_a_large_matrix_is_drawn_by_means_of_its_pieces() -> None:
    values = np.arange(400 * 400, dtype=np.float64).reshape(400, 400)
    values[0, 0] = np.nan
    chart = draw_heatmap(values, names(400), names(400), "r", "similarity").to_dict()
    (cells,) = chart["datasets"].values()
    assert len(cells) == 100 * 100
    block = values[:4, :4].ravel()[1:]
    assert cells[0] == {"row": "s0", "column": "s0", "value": pytest.approx(block.mean())}

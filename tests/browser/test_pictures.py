"""Pictures of what the page draws itself stand alone: with title, scale of colours, axes and key, dark on white."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

WHITE = 255


@pytest.fixture
def saved(finished, browser_page, reach):
    """A function that saves a figure as a picture: (rows, columns, 3) of 0 to 255, and the file's name."""

    def save(kind: str, scheme: str = "light", prepare: Any = None) -> tuple[np.ndarray, str]:
        page = browser_page(finished.path, scheme=scheme)
        root = reach(page, kind)
        if prepare is not None:
            prepare(root)
        figure = page.locator("figure").filter(has=root)
        with page.expect_download() as caught:
            figure.locator(".download[data-kind=png]").click()
        with Image.open(io.BytesIO(caught.value.path().read_bytes())) as image:
            assert image.mode in ("RGB", "RGBA")
            return np.asarray(image.convert("RGB")), caught.value.suggested_filename

    return save


def share_of_ink(part: np.ndarray) -> float:
    """How much of a picture is not white."""
    return float((part.min(axis=2) < WHITE - 20).mean())


@pytest.mark.parametrize("kind", [".matrices", ".explorer", ".map"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_is_titled_dark_on_white_on_either_page(saved, kind, scheme) -> None:
    picture, _ = saved(kind, scheme)
    edge = picture[:20].reshape(-1, 3)
    assert (edge == WHITE).all()
    title = picture[40:100, 56:]
    assert 0.005 < share_of_ink(title) < 0.5
    assert title.min() < 80


def test_a_matrix_comes_with_its_scale_of_colours_and_its_layer_s_name(saved) -> None:
    picture, name = saved(".matrices", prepare=lambda root: root.locator(".next").click())
    assert name.endswith("-conv0.png")
    right = picture[:, -260:-200]
    reds = (right[..., 0] > 150) & (right[..., 2] < 90)
    blues = (right[..., 2] > 140) & (right[..., 0] < 60)
    assert np.flatnonzero(reds.any(axis=1)).mean() < np.flatnonzero(blues.any(axis=1)).mean()  # +1 above -1


def test_every_pair_of_a_matrix_is_the_same_whole_number_of_pixels(saved, finished) -> None:
    picture, _ = saved(".matrices")
    n = finished.run.n_stimuli
    left = 56
    rows = np.flatnonzero(share_along(picture[:, left : left + 1280]) > 0.9)
    side = int(rows[-1] - rows[0] + 1)
    assert side % n == 0
    square = picture[rows[0] : rows[-1] + 1, left : left + side]
    cells = square.reshape(n, side // n, n, side // n, 3)
    assert (cells == cells[:, :1, :, :1]).all()
    assert (square == square.transpose(1, 0, 2)).all()


def share_along(picture: np.ndarray) -> np.ndarray:
    """For each row of pixels, how much of it is not white."""
    return (picture.min(axis=2) < WHITE).mean(axis=1)


def test_a_scatter_has_axes_and_rings(saved) -> None:
    picture, _ = saved(".explorer")
    below, beside = picture[-140:-40], picture[200:-200, 40:180]
    assert 0.001 < share_of_ink(below) < 0.3
    assert 0.001 < share_of_ink(beside) < 0.3
    orange = (picture[..., 0] > 160) & (picture[..., 1] < 110) & (picture[..., 2] < 40)
    green = (picture[..., 0] < 40) & (picture[..., 1] > 100) & (picture[..., 1] < 150) & (picture[..., 2] < 110)
    assert orange.sum() > 200
    assert green.sum() > 200


def test_a_map_has_the_key_of_its_colours(saved) -> None:
    plain, _ = saved(".map")
    keyed, name = saved(".map", prepare=lambda root: root.locator(".colouring").select_option("confidence"))
    assert len(keyed) > len(plain)
    assert name.endswith(".png")

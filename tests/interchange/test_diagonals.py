"""What a diagonal says of a matrix, and what it does not: a zeroed or an unknown one says nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from layerwise.core.base.errors import InputError
from layerwise.interchange.gathering import gather

ROWS = np.random.default_rng(5).normal(size=(8, 6))
CORRELATION = np.corrcoef(ROWS)
SQUARED = ((ROWS[:, None] - ROWS[None]) ** 2).sum(axis=-1)
UPPER = np.triu_indices(8, 1)
MATRICES = {
    "similarity": CORRELATION,
    "correlation-distance": 1 - CORRELATION,
    "euclidean": np.sqrt(SQUARED),
    "squared-euclidean": SQUARED,
    "distance": SQUARED,
}


def with_diagonal(matrix: np.ndarray, values: object) -> np.ndarray:
    changed = matrix.astype(np.float64)
    np.fill_diagonal(changed, values)
    return changed


def read(folder: Path, matrix: np.ndarray, kind: str = "auto", key: str = "V1"):
    np.savez(folder / "x.npz", **{key: matrix})
    (layer,) = gather([folder / "x.npz"], kind, (), None).layers
    return layer.converted


@pytest.mark.parametrize("key", ["V1", "matrix", "V1/data"])
@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_a_zero_diagonal_beside_negative_values_within_one_is_asked_about(key, scale, tmp_path):
    matrix = with_diagonal(scale * CORRELATION, 0)
    with pytest.raises(InputError, match=r"negative values and a diagonal of 0 .* say which it is with --kind"):
        read(tmp_path, matrix, key=key)
    found = read(tmp_path, matrix, "similarity", key)
    np.testing.assert_allclose(found.representation.correlation[UPPER], matrix[UPPER], atol=1e-7)
    assert read(tmp_path, matrix, "distance", key).kind == "distance"


def test_a_zero_diagonal_that_is_the_largest_value_is_asked_about(tmp_path):
    with pytest.raises(InputError, match="say which it is with --kind"):
        read(tmp_path, -SQUARED)
    assert read(tmp_path, -SQUARED, "distance").kind == "distance"


def test_distances_that_are_negative_by_rounding_or_beyond_one_are_still_distances(tmp_path):
    rounded = with_diagonal(1 - CORRELATION, 0)
    rounded[0, 1] = rounded[1, 0] = -1e-9
    assert read(tmp_path, rounded).kind == "distance"
    crossnobis = SQUARED - 1.5 * SQUARED[UPPER].min() * (1 - np.eye(8))
    assert crossnobis[UPPER].min() < 0 < 1 < crossnobis.max()
    assert read(tmp_path, crossnobis).kind == "distance"


def test_a_name_that_says_distances_decides_as_kind_does(tmp_path):
    matrix = with_diagonal(0.1 * (SQUARED - 1.5 * SQUARED[UPPER].min()) / SQUARED.max(), 0)
    assert matrix[UPPER].min() < 0
    assert read(tmp_path, matrix, key="V1/rdm").kind == "distance"
    assert read(tmp_path, matrix, "squared-euclidean").kind == "squared-euclidean"


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", list(MATRICES))
def test_a_diagonal_that_is_no_number_is_a_diagonal_left_out(kind, nothing, tmp_path):
    matrix = MATRICES[kind]
    found = read(tmp_path, with_diagonal(matrix, nothing), kind)
    left_out = read(tmp_path, matrix[UPPER], kind)
    np.testing.assert_allclose(found.representation.correlation, left_out.representation.correlation, atol=1e-14)
    np.testing.assert_allclose(found.representation.norm, left_out.representation.norm, rtol=1e-14)
    with pytest.raises(InputError, match="no diagonal does not tell what kind of matrix it is: say it with --kind"):
        read(tmp_path, with_diagonal(matrix, nothing))


@pytest.mark.parametrize("kind", list(MATRICES))
def test_where_some_of_the_diagonal_is_unknown_the_rest_must_fit(kind, tmp_path):
    matrix = with_diagonal(MATRICES[kind], [np.nan, *np.diagonal(MATRICES[kind])[1:]])
    found = read(tmp_path, matrix, kind).representation.correlation
    np.testing.assert_allclose(found, read(tmp_path, matrix[UPPER], kind).representation.correlation, atol=1e-14)
    assert read(tmp_path, matrix).kind == ("similarity" if kind == "similarity" else "distance")
    with pytest.raises(InputError, match=r"the diagonal of a .* matrix is [01], entry \(3, 3\) is 0\.[25]"):
        read(
            tmp_path, with_diagonal(matrix, [np.nan, *np.diagonal(matrix)[1:3], 0.5, *np.diagonal(matrix)[4:]]), kind
        )


@pytest.mark.parametrize(("kind", "key"), [("similarity", "V1"), ("auto", "rsm"), ("auto", "V1/pearson")])
def test_a_zeroed_diagonal_of_similarities_is_taken_as_not_given_and_that_is_said(kind, key, tmp_path):
    found = read(tmp_path, with_diagonal(CORRELATION, 0), kind, key)
    np.testing.assert_allclose(found.representation.correlation, CORRELATION, atol=1e-7)
    assert "a diagonal of 0 is none of similarities: taken as not given" in found.notes


def test_a_diagonal_that_contradicts_the_kind_is_refused_even_where_it_is_told(tmp_path):
    for values in (0.5, 2, [0, 1] * 4):
        with pytest.raises(InputError, match="the diagonal of a similarity matrix is 1"):
            read(tmp_path, with_diagonal(CORRELATION, values), "similarity")
    with pytest.raises(InputError, match="the diagonal of a distance matrix is 0"):
        read(tmp_path, with_diagonal(SQUARED, 1), "distance")


def test_a_gram_matrix_needs_all_of_its_diagonal(tmp_path):
    gram = ROWS @ ROWS.T
    diagonal = np.diagonal(gram)
    for values in (np.nan, [np.nan, *diagonal[1:]]):
        with pytest.raises(InputError, match="a Gram matrix needs its diagonal"):
            read(tmp_path, with_diagonal(gram, values), "gram")
    with pytest.raises(InputError, match="a Gram matrix has a positive diagonal"):
        read(tmp_path, with_diagonal(gram, 0), "gram")


def test_an_undefined_stimulus_is_none_because_of_its_diagonal_alone(tmp_path):
    matrix = with_diagonal(1 - CORRELATION, np.nan)
    matrix[2, :] = matrix[:, 2] = np.nan
    found = read(tmp_path, matrix, "correlation-distance").representation
    assert found.constant.tolist() == [2]
    zeroed = matrix.copy()
    np.fill_diagonal(zeroed, 0)
    np.testing.assert_array_equal(
        read(tmp_path, zeroed, "correlation-distance").representation.correlation, found.correlation
    )


def test_a_number_that_is_missing_beside_the_diagonal_is_refused(tmp_path):
    matrix = with_diagonal(1 - CORRELATION, np.nan)
    matrix[1, 4] = matrix[4, 1] = np.nan
    with pytest.raises(InputError, match=r"entry \(1, 4\) is NaN, and 1 more"):
        read(tmp_path, matrix, "correlation-distance")
    matrix[1, 4] = matrix[4, 1] = np.inf
    with pytest.raises(InputError, match=r"entry \(1, 4\) is infinite"):
        read(tmp_path, matrix, "correlation-distance")
    matrix = with_diagonal(1 - CORRELATION, [np.inf, *[0] * 7])
    with pytest.raises(InputError, match=r"entry \(0, 0\) is infinite"):
        read(tmp_path, matrix, "correlation-distance")


def test_a_table_of_pairs_may_have_an_unknown_or_a_zeroed_diagonal(tmp_path):
    first, second = np.triu_indices(8)
    for nothing in (np.nan, 0.0):
        matrix = with_diagonal(CORRELATION, nothing)
        frame = pl.DataFrame({"i": first, "j": second, "similarity": matrix[first, second]})
        frame.write_parquet(tmp_path / "x.parquet")
        (layer,) = gather([tmp_path / "x.parquet"], "auto", (), None).layers
        np.testing.assert_allclose(layer.converted.representation.correlation, CORRELATION, atol=1e-7)

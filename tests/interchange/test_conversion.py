"""What becomes of each kind of matrix: what can be known from it is kept exactly, what cannot is said."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer
from layerwise.core.network.products import represent
from layerwise.interchange.arrange import Arranged
from layerwise.interchange.checks import check_matrix, triangle_side
from layerwise.interchange.conversion import KINDS, convert
from layerwise.interchange.gathering import ImportedLayer, arrange_layers
from layerwise.interchange.stimulus_names import new_stimuli, read_names

UPPER = np.triu_indices(8, 1)


def rows_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(8, 20)) * 3 + 1


def squared_distances(rows: np.ndarray) -> np.ndarray:
    return ((rows[:, None] - rows[None]) ** 2).sum(axis=-1)


def converted(matrix: np.ndarray, kind: str):
    return convert(Arranged("V1", kind, check_matrix(matrix)))


def distances_in(representation) -> np.ndarray:
    """Squared Euclidean distances between the vectors of a representation."""
    gram = representation.gram()
    return np.add.outer(np.diagonal(gram), np.diagonal(gram)) - 2 * gram


def double_centred(matrix: np.ndarray) -> np.ndarray:
    centring = np.eye(len(matrix)) - 1 / len(matrix)
    return centring @ matrix @ centring


seeds = st.integers(0, 10**6)


@given(seed=seeds)
def test_euclidean_distances_give_the_gram_matrix_of_classical_scaling_and_themselves_back(seed):
    rows = rows_of(seed)
    squared = squared_distances(rows)
    for kind, matrix in (("euclidean", np.sqrt(squared)), ("squared-euclidean", squared), ("distance", squared)):
        found = converted(matrix, kind)
        assert found.notes == ()
        scale = squared.max()
        np.testing.assert_allclose(distances_in(found.representation), squared, atol=1e-6 * scale)
        centred = rows - rows.mean(axis=0)
        np.testing.assert_allclose(found.representation.column_centred_gram(), centred @ centred.T, atol=1e-6 * scale)


@given(seed=seeds, power=st.sampled_from([0.5, 1.0, 3.0]))
def test_rsa_sees_any_dissimilarity_as_it_is(seed, power):
    matrix = squared_distances(rows_of(seed)) ** power
    pairs = converted(matrix, "distance").representation.correlation[UPPER].astype(np.float64)
    assert np.corrcoef(-pairs, matrix[UPPER])[0, 1] == pytest.approx(1, abs=1e-9)


@given(seed=seeds)
def test_correlations_and_correlation_distances_are_the_correlations_of_the_layer(seed):
    layer = represent(rows_of(seed))
    correlation = np.corrcoef(rows_of(seed))
    for kind, matrix in (("similarity", correlation), ("correlation-distance", 1 - correlation)):
        found = converted(matrix, kind).representation
        np.testing.assert_allclose(found.correlation, layer.correlation, atol=1e-6)
        np.testing.assert_array_equal(found.norm, 1)
        np.testing.assert_array_equal(found.mean, 0)


@given(seed=seeds)
def test_a_gram_matrix_comes_back(seed):
    rows = rows_of(seed)
    found = converted(rows @ rows.T, "gram")
    np.testing.assert_allclose(found.representation.gram(), rows @ rows.T, rtol=1e-5, atol=1e-4)
    assert found.notes == ()


def test_negative_distances_are_kept_as_they_are_and_a_note_says_how_many():
    squared = squared_distances(rows_of(0))
    noisy = squared - 1.5 * squared[UPPER].min() * (1 - np.eye(8))
    found = converted(noisy, "squared-euclidean")
    n_negative = int((noisy[UPPER] < 0).sum())
    assert any(note.startswith(f"{n_negative} distances are negative") for note in found.notes)
    np.testing.assert_allclose(found.representation.squared_distances()[UPPER], noisy[UPPER], rtol=1e-14)
    assert not found.representation.has_zero
    pairs = found.representation.correlation[UPPER]
    assert np.corrcoef(-pairs, squared[UPPER])[0, 1] == pytest.approx(1, abs=1e-12)


def test_distances_that_no_vectors_can_have_are_told():
    matrix = 1 - np.eye(6)
    matrix[0, 1] = matrix[1, 0] = 9.0
    (note,) = converted(matrix, "euclidean").notes
    assert note.startswith("not Euclidean: 1 of 6 eigenvalues are negative")
    spectrum = np.linalg.eigvalsh(-0.5 * double_centred(matrix**2))
    share = np.abs(spectrum[spectrum < 0]).sum() / np.abs(spectrum).sum()
    assert f"({share:.1%} of the whole)" in note


@pytest.mark.parametrize("kind", list(KINDS))
def test_stimuli_that_are_undefined_stay_so_and_are_counted(kind):
    rows = rows_of(3)
    squared = squared_distances(rows)
    matrices = {
        "similarity": np.corrcoef(rows),
        "correlation-distance": 1 - np.corrcoef(rows),
        "gram": rows @ rows.T,
        "euclidean": np.sqrt(squared),
    }
    matrix = matrices.get(kind, squared)
    matrix[2, :] = matrix[:, 2] = np.nan
    found = converted(matrix, kind)
    assert found.representation.constant.tolist() == [2]
    assert np.isnan(found.representation.correlation[2]).all()
    assert np.isfinite(np.delete(np.delete(found.representation.correlation, 2, 0), 2, 1)).all()
    assert "1 of 8 stimuli are undefined" in found.notes


def test_float32_noise_in_symmetry_and_diagonal_is_no_error():
    matrix = np.corrcoef(rows_of(1))
    noise = np.random.default_rng(0).uniform(-1e-6, 1e-6, size=matrix.shape)
    found = converted(matrix + noise, "similarity").representation.correlation
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diagonal(found), 1)


@given(side=st.integers(2, 5000))
def test_the_side_of_a_triangle_is_found_from_its_number_of_values(side):
    n_values = side * (side - 1) // 2
    assert triangle_side(n_values) == side
    if side > 2:
        assert triangle_side(n_values + 1) is None


def imported(*names: str) -> list[ImportedLayer]:
    return [
        ImportedLayer(convert(Arranged(name, "euclidean", check_matrix(np.sqrt(squared_distances(rows_of(0)))))))
        for name in names
    ]


def test_layers_have_the_roles_of_their_names_unless_others_are_named():
    layers = arrange_layers(imported("input", "V1", "output"))
    assert [layer.role for layer in layers] == ["input", "hidden", "output"]
    assert [layer.op for layer in layers] == ["euclidean"] * 3
    layers = arrange_layers(imported("input", "V1", "IT"), first="V1", last="IT")
    assert [layer.role for layer in layers] == ["hidden", "input", "output"]
    assert {layer.role for layer in arrange_layers(imported("V1", "V2"))} == {"hidden"}
    with pytest.raises(InputError, match=r"--output: no layer 'V3'; did you mean"):
        arrange_layers(imported("V1", "V2"), last="V3")


def test_what_an_export_knows_of_a_layer_is_kept():
    known = Layer("b/1x1", "node", "relu", (2, 4), 9, block="b", branch="1x1", parts=("gone",))
    (layer,) = imported("b/1x1")
    (kept,) = arrange_layers([ImportedLayer(layer.converted, known)])
    assert (kept.op, kept.block, kept.branch, kept.shape) == ("relu", "b", "1x1", (2, 4))
    assert (kept.position, kept.parts, kept.is_main) == (0, (), False)


def test_a_set_of_names_is_known_by_them_and_one_without_by_its_file(tmp_path):
    files = [tmp_path / "V1.npz"]
    first, again = (new_stimuli(["a", "b", "c"], 3, files, content) for content in ("1", "2"))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != new_stimuli(["a", "c", "b"], 3, files, "1").fingerprint
    unnamed, other = (new_stimuli(None, 3, files, content) for content in ("1", "2"))
    assert unnamed.fingerprint != other.fingerprint
    assert [stimulus.name for stimulus in unnamed.stimuli] == ["stimulus 1", "stimulus 2", "stimulus 3"]


def test_unicode_forms_of_the_same_names_are_the_same_set(tmp_path):
    files = [tmp_path / "V1.npz"]
    composed = ["\u00e9t\u00e9", "\u00fcber", "a"]
    apart = [unicodedata.normalize("NFD", name) for name in composed]
    assert apart != composed
    first, second = (new_stimuli(names, 3, files, "1") for names in (composed, apart))
    assert first.fingerprint == second.fingerprint
    assert [stimulus.name for stimulus in second.stimuli] == apart
    with pytest.raises(InputError, match="two stimuli are called '\u00e9t\u00e9'"):
        new_stimuli([composed[0], apart[0], "a"], 3, files, "1")


def test_a_list_of_names_is_read_line_by_line(tmp_path):
    (tmp_path / "names.txt").write_text("a b\n\n c \n", encoding="utf-8")
    assert read_names(tmp_path / "names.txt") == ("a b", "c")
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        read_names(tmp_path / "names.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_names(tmp_path / "nothing.txt")

"""Files in and out: what is exported comes back bit for bit, and what others write is read as what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer
from layerwise.core.network.products import multiply, represent
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import EXACT, Resolution
from layerwise.interchange.exported import Export
from layerwise.interchange.files import choose_writer, read_file
from layerwise.interchange.gathering import arrange_layers, gather

ASSETS = Path(__file__).parents[1] / "assets"
FORMATS = ("x.npz", "x.parquet", "x.h5", "x.rdms.h5")
NAMES = [f"s{index}" for index in range(6)]

letters = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp"))
words = st.text(letters, min_size=1, max_size=8).filter(str.strip)
usable = words.filter(lambda word: "/" not in word and word not in (".", ".."))


@st.composite
def exports(draw: st.DrawFn) -> Export:
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    stimuli = draw(st.lists(words, min_size=3, max_size=7, unique=True))
    names = draw(
        st.lists(usable.filter(lambda word: word not in ("stimuli", "layers")), min_size=1, max_size=3, unique=True)
    )
    layers, representations = [], []
    for position, name in enumerate(names):
        n_features = draw(st.integers(1, 5))
        rows = draw(st.sampled_from([1e-3, 1.0, 1e4])) * rng.normal(size=(len(stimuli), n_features)) + 1
        if draw(st.booleans()):
            rows[draw(st.integers(0, len(stimuli) - 1))] = 0.5
        layers.append(Layer(name, "node", "conv", (n_features,), position, is_main=draw(st.booleans())))
        known = draw(st.sampled_from([EXACT, Resolution(2.0**-24, 1e-8, 1 / 3, 0.0)]))
        products = replace(multiply(rows), resolution=known)
        made = products.represent(in_double=draw(st.booleans()))
        representations.append(replace(made, has_zero=draw(st.booleans())))
    return Export(layers, representations, stimuli)


def same(first: Representation, second: Representation) -> None:
    for name in ("entries", "deviation", "mean", "norm"):
        mine, theirs = getattr(first, name), getattr(second, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    for name in ("n_features", "resolution", "has_zero"):
        assert getattr(first, name) == getattr(second, name)


def one(path: Path, kind: str = "auto", **arrays: np.ndarray):
    """The only layer of an .npz file with these arrays."""
    np.savez(path / "brain.npz", **arrays)
    (layer,) = gather([path / "brain.npz"], kind, (), None).layers
    return layer.converted


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(export=exports())
def test_what_is_exported_comes_back_bit_for_bit(name, export, tmp_path):
    choose_writer(tmp_path / name)(tmp_path / name, export)
    found = gather([tmp_path / name], "auto", (), None)
    assert found.names == tuple(export.stimuli)
    assert [layer.name for layer in found.layers] == [layer.name for layer in export.layers]
    assert arrange_layers(found.layers) == tuple(export.layers)
    for layer, original in zip(found.layers, export.representations, strict=True):
        same(layer.converted.representation, original)


@pytest.mark.parametrize("name", FORMATS)
def test_a_single_layer_comes_back_too(name, tmp_path):
    original = represent(np.random.default_rng(0).normal(size=(6, 9)))
    layer = Layer("mixed4c/5x5", "n", "conv", (9,), 3, branch="5x5", block="mixed4c")
    choose_writer(tmp_path / name)(tmp_path / name, Export([layer], [original], NAMES, prefixed=False))
    (found,) = gather([tmp_path / name], "auto", (), None).layers
    same(found.converted.representation, original)


def test_blocks_and_their_branches_lie_side_by_side_in_every_format(tmp_path):
    rng = np.random.default_rng(1)
    names = ["b", "b/1x1", "a"]
    layers = [Layer(name, "n", "conv", (4,), position) for position, name in enumerate(names)]
    export = Export(layers, [represent(rng.normal(size=(6, 4))) for _ in names], NAMES)
    for name in FORMATS:
        choose_writer(tmp_path / name)(tmp_path / name, export)
        assert [layer.name for layer in gather([tmp_path / name], "auto", (), None).layers] == names


def test_the_formats_own_words_as_layer_names_are_refused_by_hdf5(tmp_path):
    export = Export([Layer("stimuli", "n", "conv", (4,), 0)], [represent(np.eye(6, 4))], NAMES)
    with pytest.raises(InputError, match="layer 'stimuli' has a name that an HDF5 export needs"):
        choose_writer(tmp_path / "x.h5")(tmp_path / "x.h5", export)


def patterns(area: int) -> np.ndarray:
    """What `tests/assets/README.md` says the RDMs were made of."""
    return np.sin(np.add.outer(3 * np.arange(8) ** 2, 5 * np.arange(12)) + area)


@pytest.mark.parametrize("area", [0, 1])
def test_a_correlation_rdm_of_rsatoolbox_is_read_as_what_it_was_computed_from(area):
    found = gather([ASSETS / "rsatoolbox-correlation.hdf5"], "auto", (), None)
    assert found.names == (*(f"face-{i}" for i in range(4)), *(f"place-{i}" for i in range(4)))
    assert [layer.name for layer in found.layers] == ["V1", "IT"]
    layer = found.layers[area].converted
    assert layer.kind == "correlation-distance"
    np.testing.assert_allclose(layer.representation.correlation, np.corrcoef(patterns(area)), atol=1e-6)


@pytest.mark.parametrize("area", [0, 1])
def test_a_squared_euclidean_rdm_of_rsatoolbox_gives_the_gram_matrix_of_its_patterns(area):
    layer = gather([ASSETS / "rsatoolbox-squared-euclidean.hdf5"], "auto", (), None).layers[area].converted
    assert layer.kind == "squared-euclidean"
    rows = patterns(area) / np.sqrt(12)  # rsatoolbox divides by the number of channels
    rows = rows - rows.mean(axis=0)
    np.testing.assert_allclose(layer.representation.column_centred_gram(), rows @ rows.T, atol=1e-6)


def describe(path: Path) -> dict[str, tuple[str, int]]:
    """Every dataset and group of an HDF5 file with the kind and the number of axes of its values."""
    found: dict[str, tuple[str, int]] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update(
                {name: (item.dtype.kind, item.ndim) if hasattr(item, "dtype") else ("", 0)}
            )
        )
        return found | {f"@{name}": ("", 0) for name in file.attrs}


def test_our_rdms_files_are_built_like_those_of_rsatoolbox(tmp_path):
    layers = [Layer(name, "n", "conv", (4,), position) for position, name in enumerate(("V1", "IT"))]
    export = Export(layers, [represent(np.random.default_rng(0).normal(size=(6, 4)))] * 2, NAMES)
    choose_writer(tmp_path / "x.rdms.h5")(tmp_path / "x.rdms.h5", export)
    ours, theirs = describe(tmp_path / "x.rdms.h5"), describe(ASSETS / "rsatoolbox-correlation.hdf5")
    theirs["rdm_descriptors/name"] = theirs.pop("rdm_descriptors/roi")
    theirs.pop("@rsatoolbox_version")
    assert {name: kind for name, kind in ours.items() if not name.startswith("layerwise")} == theirs


def test_rsatoolbox_reads_our_rdms_files(tmp_path):
    rdm = pytest.importorskip("rsatoolbox.rdm", reason="rsatoolbox is not installed")
    rows = np.random.default_rng(0).normal(size=(6, 4))
    export = Export([Layer("V1", "n", "conv", (4,), 0)], [represent(rows)], NAMES)
    choose_writer(tmp_path / "x.rdms.h5")(tmp_path / "x.rdms.h5", export)
    loaded = rdm.load_rdm(str(tmp_path / "x.rdms.h5"))
    np.testing.assert_allclose(loaded.get_matrices()[0], 1 - np.corrcoef(rows), atol=1e-6)
    assert list(loaded.pattern_descriptors["stimulus"]) == NAMES
    assert list(loaded.rdm_descriptors["name"]) == ["V1"]


def test_names_that_rsatoolbox_repeats_are_numbered(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["dissimilarities"] = np.arange(18.0).reshape(3, 6) + 1
        file["rdm_descriptors/roi"] = np.array([b"V1", b"V1", b"IT"])
        file.create_group("pattern_descriptors")
    found = gather([tmp_path / "x.hdf5"], "auto", (), None)
    assert [layer.name for layer in found.layers] == ["V1-1", "V1-2", "IT"]
    assert found.names is None


ROWS = np.random.default_rng(5).normal(size=(6, 10))
DISTANCES = np.sqrt(((ROWS[:, None] - ROWS[None]) ** 2).sum(axis=-1))
UPPER = np.triu_indices(6, 1)


def test_a_square_and_a_condensed_matrix_are_the_same(tmp_path):
    square = one(tmp_path, rdm=DISTANCES)
    condensed = one(tmp_path, rdm=DISTANCES[UPPER])
    assert square.name == condensed.name == "brain"
    same(square.representation, condensed.representation)


def test_a_stack_of_matrices_is_a_layer_each(tmp_path):
    for stack in (np.stack([DISTANCES, DISTANCES**2]), np.stack([DISTANCES[UPPER], DISTANCES[UPPER] ** 2])):
        np.savez(tmp_path / "brain.npz", rdms=stack, rois=np.array(["V1", "IT"]), stimuli=np.array(NAMES))
        found = gather([tmp_path / "brain.npz"], "euclidean", (), None)
        assert [layer.name for layer in found.layers] == ["V1", "IT"]
        assert found.names == tuple(NAMES)
    np.savez(tmp_path / "brain.npz", rdms=stack)
    assert [layer.name for layer in gather([tmp_path / "brain.npz"], "auto", (), None).layers] == [
        "brain-1",
        "brain-2",
    ]


def test_activations_are_represented_as_a_layer_s_are(tmp_path):
    same(one(tmp_path, activations=ROWS).representation, represent(ROWS))
    same(one(tmp_path, "activations", anything=ROWS.reshape(6, 5, 2)).representation, represent(ROWS))


@pytest.mark.parametrize(
    ("key", "matrix", "kind"),
    [
        ("matrix", np.corrcoef(ROWS), "similarity"),
        ("matrix", DISTANCES, "distance"),
        ("V1", DISTANCES, "distance"),
        ("rsm", np.corrcoef(ROWS), "similarity"),
        ("V1/gram", ROWS @ ROWS.T, "gram"),
        ("IT/squared_euclidean", DISTANCES**2, "squared-euclidean"),
    ],
)
def test_what_a_matrix_is_is_told_by_its_name_or_its_diagonal(key, matrix, kind, tmp_path):
    found = one(tmp_path, **{key: matrix})
    assert found.kind == kind
    assert found.name == {"matrix": "brain", "rsm": "brain"}.get(key, key.split("/")[0])


def test_hdf5_datasets_have_the_names_of_their_paths(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["sub-01/V1"] = DISTANCES
        file["sub-01/IT/rdm"] = DISTANCES[UPPER]
        file["stimuli"] = NAMES
        file["sub-01/note"] = "made by hand"
    found = gather([tmp_path / "x.h5"], "auto", (), None)
    assert sorted(layer.name for layer in found.layers) == ["sub-01/IT", "sub-01/V1"]
    assert found.names == tuple(NAMES)
    (chosen,) = gather([tmp_path / "x.h5"], "auto", ("sub-01/V1",), None).layers
    assert chosen.name == "sub-01/V1"


def test_npy_is_one_matrix_called_like_its_file(tmp_path):
    np.save(tmp_path / "V1.npy", DISTANCES)
    (layer,) = gather([tmp_path / "V1.npy"], "euclidean", (), None).layers
    assert layer.name == "V1"


def pair_table(**columns: object) -> pl.DataFrame:
    first, second = UPPER
    return pl.DataFrame({"i": first, "j": second, **columns})


def test_a_table_of_pairs_is_a_matrix_however_its_rows_are_ordered(tmp_path):
    table = pair_table(distance=DISTANCES[UPPER], V2=DISTANCES[UPPER] ** 2)
    table.sample(fraction=1, shuffle=True, seed=1).write_parquet(tmp_path / "x.parquet")
    found = gather([tmp_path / "x.parquet"], "euclidean", (), None)
    assert [layer.name for layer in found.layers] == ["distance", "V2"]
    same(found.layers[0].converted.representation, one(tmp_path, "euclidean", rdm=DISTANCES).representation)


def test_a_table_of_named_pairs_may_hold_several_layers_and_both_directions(tmp_path):
    rows, columns = np.indices((6, 6)).reshape(2, -1)
    names = np.array(NAMES)
    frame = pl.DataFrame(
        {"stimulus_i": names[rows], "stimulus_j": names[columns], "dissimilarity": DISTANCES.reshape(-1)}
    )
    both = pl.concat([frame.select(pl.lit(layer).alias("layer"), pl.all()) for layer in ("V1", "IT")])
    both.write_parquet(tmp_path / "x.parquet")
    found = gather([tmp_path / "x.parquet"], "euclidean", (), None)
    assert [layer.name for layer in found.layers] == ["V1", "IT"]
    assert found.names == tuple(NAMES)


def test_a_table_with_a_row_a_stimulus_holds_activations(tmp_path):
    frame = pl.DataFrame({"stimulus": NAMES, **{f"unit{index}": ROWS[:, index] for index in range(10)}})
    frame.write_parquet(tmp_path / "x.parquet")
    found = gather([tmp_path / "x.parquet"], "auto", (), None)
    assert found.names == tuple(NAMES)
    same(found.layers[0].converted.representation, represent(ROWS))


def test_several_files_are_brought_to_the_order_of_the_first(tmp_path):
    order = [3, 1, 0, 5, 2, 4]
    np.savez(tmp_path / "V1.npz", rdm=DISTANCES, stimuli=np.array(NAMES))
    np.savez(tmp_path / "IT.npz", rdm=DISTANCES[np.ix_(order, order)], stimuli=np.array(NAMES)[order])
    found = gather([tmp_path / "V1.npz", tmp_path / "IT.npz"], "auto", (), None)
    assert [layer.name for layer in found.layers] == ["V1", "IT"]
    same(*[layer.converted.representation for layer in found.layers])


NO_TEXT = np.full(6, 0x7FFFFFFF, dtype=np.uint32).view("<U1")


def spoil(matrix: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    spoiled = matrix.copy()
    spoiled[row, column] = value
    return spoiled


@pytest.mark.parametrize(
    ("arrays", "kind", "message"),
    [
        ({"rdm": spoil(DISTANCES, 1, 4, 99)}, "auto", r"not symmetric: entry \(1, 4\) is 99, entry \(4, 1\) is"),
        ({"rdm": spoil(spoil(DISTANCES, 1, 4, np.nan), 4, 1, np.nan)}, "auto", r"entry \(1, 4\) is NaN"),
        ({"rdm": spoil(DISTANCES, 2, 3, np.inf)}, "auto", r"entry \(2, 3\) is infinite"),
        ({"rdm": spoil(DISTANCES, 2, 2, 1)}, "auto", r"the diagonal of a distance matrix is 0, entry \(2, 2\) is 1"),
        ({"rsm": spoil(np.corrcoef(ROWS), 2, 2, 0.5)}, "auto", r"diagonal of a similarity matrix is 1.*\(2, 2\)"),
        ({"rsm": np.full((4, 4), 7.0) - 6 * np.eye(4)}, "auto", r"lies between -1 and 1, entry \(0, 1\) is 7"),
        ({"rdm": 3 * (1 - np.eye(4))}, "correlation-distance", r"lies between 0 and 2, entry \(0, 1\) is 3"),
        ({"rdm": -DISTANCES}, "euclidean", "a Euclidean distance lies between 0 and inf"),
        ({"rdm": np.zeros((4, 4))}, "auto", "all distances are 0"),
        ({"rdm": np.ones((2, 2))}, "auto", "2 stimuli; at least 3 are needed"),
        ({"rdm": np.full((4, 4), np.nan)}, "auto", "0 of 4 stimuli are defined"),
        ({"rdm": np.ones(8)}, "auto", r"8 is not n \(n - 1\) / 2"),
        ({"matrix": np.ones((4, 5))}, "auto", "is not square: if these are activations"),
        ({"matrix": np.ones(6)}, "auto", "no diagonal does not tell what kind of matrix it is"),
        ({"matrix": 5 * np.eye(4) + 1}, "auto", "a diagonal from 6 to 6 does not tell"),
        ({"gram": np.eye(4) - 2}, "auto", "a Gram matrix has a positive diagonal"),
        ({"gram": np.eye(4) + 5 - 4 * np.eye(4)}, "auto", "lies between -1 and 1"),
        ({"activations": spoil(ROWS, 3, 2, np.nan)}, "auto", "the activation of stimulus 3 in unit 2 is nan"),
        ({"activations": np.ones(5)}, "auto", "activations have a row a stimulus"),
        ({"rdm": DISTANCES, "stimuli": np.array(["a"] * 6)}, "auto", "two stimuli are called 'a'"),
        ({"rdm": DISTANCES, "stimuli": np.array(["a", "b"])}, "auto", "2 stimulus names for 6 stimuli"),
        ({"rdm": DISTANCES, "stimuli": np.array([*"abcde", "\ud800"])}, "auto", "is no text"),
        ({"rdm": DISTANCES, "stimuli": np.array([*"abcde", " "])}, "auto", "a name is empty"),
        ({"rdm": DISTANCES, "stimuli": NO_TEXT}, "auto", "names in 'stimuli' are no text"),
        ({"V1": DISTANCES, "IT": DISTANCES[:4, :4]}, "auto", "'V1' has 6 stimuli, 'IT' has 4"),
        ({"rdms": np.stack([DISTANCES] * 2), "rois": np.array(["V1"])}, "auto", "1 names for 2 matrices"),
        ({"words": np.array(["a", "b"])}, "auto", "holds no matrix: its arrays are words"),
        ({"rdm": DISTANCES}, "manhattan", "no kind of matrix 'manhattan'"),
    ],
)
def test_what_is_no_such_matrix_is_refused_with_the_place(arrays, kind, message, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=message):
        gather([tmp_path / "bad.npz"], kind, (), None)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"value": DISTANCES[UPPER], "i": [0] * 15}, "a pair of stimuli is there more than once"),
        ({"value": ["x"] * 15}, "no column of numbers beside i and j"),
    ],
)
def test_tables_of_pairs_must_be_complete(columns, message, tmp_path):
    pair_table(**{"value": DISTANCES[UPPER]}).with_columns(
        **{name: pl.Series(values) for name, values in columns.items()}
    ).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match=message):
        gather([tmp_path / "x.parquet"], "distance", (), None)


def test_a_missing_pair_is_named(tmp_path):
    pair_table(value=DISTANCES[UPPER]).head(14).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="the pair '4', '5' is missing"):
        gather([tmp_path / "x.parquet"], "distance", (), None)


def test_pickles_are_never_read(tmp_path):
    np.savez(tmp_path / "x.npz", rdm=np.array([{"a": 1}, None], dtype=object))
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object))
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04N.")
    for name in ("x.npz", "x.npy", "x.pkl"):
        with pytest.raises(InputError, match=r"can run code and (are|is) not read"):
            read_file(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files_are_one_clear_line(name, share, tmp_path):
    export = Export([Layer("a", "n", "conv", (4,), 0)], [represent(ROWS[:, :4])], NAMES)
    choose_writer(tmp_path / name)(tmp_path / name, export)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=rf"{name}: cannot be read as"):
        read_file(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_gone_wrong_are_never_a_traceback(name, tmp_path):
    export = Export([Layer("a", "n", "conv", (4,), 0)], [represent(ROWS[:, :4])], NAMES)
    choose_writer(tmp_path / name)(tmp_path / name, export)
    data, rng = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    n_refused = 0
    for _ in range(60):
        spoiled = bytearray(data)
        for place in rng.integers(0, len(data), size=40):
            spoiled[place] = rng.integers(256)
        (tmp_path / f"bad-{name}").write_bytes(spoiled)
        try:
            gather([tmp_path / f"bad-{name}"], "auto", (), None)
        except InputError:
            n_refused += 1
    assert n_refused > 20


def test_a_wrong_suffix_is_said(tmp_path):
    np.savez(tmp_path / "x.npz", rdm=DISTANCES)
    for suffix, message in ((".h5", "as HDF5"), (".parquet", "as Parquet"), (".npy", "give it the suffix .npz")):
        (tmp_path / f"x{suffix}").write_bytes((tmp_path / "x.npz").read_bytes())
        with pytest.raises(InputError, match=message):
            read_file(tmp_path / f"x{suffix}")
    (tmp_path / "x.xlsx").touch()
    with pytest.raises(InputError, match=r"the suffix must be one of \.npz, \.npy, \.parquet, \.h5, \.hdf5"):
        read_file(tmp_path / "x.xlsx")
    with pytest.raises(InputError, match="the suffix must be one of"):
        choose_writer(tmp_path / "x.xlsx")
    with pytest.raises(InputError, match="no format 'hdf'; did you mean hdf5"):
        choose_writer(tmp_path / "x.npz", "hdf")


def test_a_file_larger_than_memory_is_refused_before_it_is_read(tmp_path):
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("rdm", shape=(2**22, 2**22), dtype=np.float64, chunks=(1024, 1024))
    with pytest.raises(InputError, match=r"needs 131072.0 GiB of memory"):
        read_file(tmp_path / "huge.h5")


def test_an_export_whose_numbers_make_no_representation_is_refused(tmp_path):
    original = represent(ROWS)
    for field, value in (("mean", original.mean[:3]), ("norm", -original.norm), ("correlation", original.norm)):
        fields = {name: getattr(original, name) for name in ("correlation", "mean", "norm", "n_features")}
        np.savez(tmp_path / "x.npz", **{**fields, field: value})
        with pytest.raises(InputError):
            read_file(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["x.npz", "x.h5"])
def test_correlations_are_written_a_few_rows_at_a_time_and_are_those_of_the_layer(name, tmp_path):
    rows = np.random.default_rng(2).normal(size=(150, 30))
    rows[4] = 1  # constant
    layer = represent(rows)
    choose_writer(tmp_path / name)(
        tmp_path / name,
        Export([Layer("a", "n", "conv", (30,), 0)], [layer], list(map(str, range(150))), prefixed=False),
    )
    if name.endswith("npz"):
        found = np.load(tmp_path / name)["correlation"]
    else:
        with h5py.File(tmp_path / name) as file:
            found = file["correlation"][:]
    np.testing.assert_array_equal(found, layer.correlation)

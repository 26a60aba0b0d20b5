"""Labels that are numbers are labels, in every format; a running number is none, and what may be either is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer
from layerwise.core.network.products import represent
from layerwise.interchange.exported import Export
from layerwise.interchange.files import choose_writer
from layerwise.interchange.gathering import Gathered, gather

N = 9
ROWS = np.random.default_rng(5).normal(size=(N, 12))
SIMILARITY = np.corrcoef(ROWS)
UPPER = np.triu_indices(N, 1)
CODES = np.array([30, 4, 17, 8, 25, 2, 101, 12, 6])


def save_npz(path: Path, key: str, labels: object, **more: object) -> None:
    np.savez(path, **{"V1/similarity": SIMILARITY, key: labels, **more})


def save_h5(path: Path, key: str, labels: object, **more: object) -> None:
    with h5py.File(path, "w") as file:
        file["V1/similarity"] = SIMILARITY
        for name, values in {key: labels, **more}.items():
            array = np.asarray(values)
            file[name] = array.astype(object) if array.dtype.kind == "U" else array


def save_rdms(path: Path, key: str, labels: object, **more: object) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["dissimilarity_measure"] = "correlation"
        file["dissimilarities"] = (1 - SIMILARITY[UPPER])[None]
        file["rdm_descriptors/name"] = np.array([b"V1"])
        descriptors = {"index": np.arange(N), key: labels, **more}
        for name, values in descriptors.items():
            array = np.asarray(values)
            file[f"pattern_descriptors/{name}"] = np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array


def save_table(path: Path, key: str, labels: object, **more: object) -> None:
    columns = {key: labels, **more, **{f"u{unit}": ROWS[:, unit] for unit in range(12)}}
    pl.DataFrame(columns).write_parquet(path)


def save_pairs(path: Path, key: str, labels: object) -> None:
    names, (first, second) = pl.Series("names", labels), UPPER
    ends = {"stimulus_i": names.gather(first), "stimulus_j": names.gather(second)}
    pl.DataFrame({**ends, "similarity": SIMILARITY[UPPER]}).write_parquet(path)


Save = Callable[..., None]
WRITERS: dict[str, Save] = {
    "x.npz": save_npz,
    "x.h5": save_h5,
    "x.rdms.h5": save_rdms,
    "x.parquet": save_table,
    "pairs.parquet": save_pairs,
}
TABLES: dict[str, Save] = {name: save for name, save in WRITERS.items() if name != "pairs.parquet"}
every_format = pytest.mark.parametrize("name", list(WRITERS))
with_columns = pytest.mark.parametrize("name", list(TABLES))


def read(path: Path, column: str | None = None, kind: str = "auto", wanted: tuple[str, ...] = ()) -> Gathered:
    return gather([path], kind, wanted, None, column)


def check_rows(found: Gathered, names: object) -> None:
    """Each row has its name, whatever the order in which the format has them; no label has become a unit."""
    assert found.names is not None
    wanted = [str(name) for name in names]  # type: ignore[attr-defined]
    assert sorted(found.names) == sorted(wanted)
    place = [found.names.index(name) for name in wanted]
    (layer,) = found.layers
    correlation = layer.converted.representation.take(np.array(place)).correlation
    np.testing.assert_allclose(correlation, SIMILARITY, atol=1e-6)


@every_format
@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.float32, np.float64]
)
def test_whole_numbers_of_every_type_are_names(name, dtype, tmp_path):
    WRITERS[name](tmp_path / name, "stimuli", CODES.astype(dtype))
    check_rows(read(tmp_path / name), CODES)


@every_format
def test_numbers_may_be_negative_large_or_in_order(name, tmp_path):
    for labels in (CODES - 20, CODES + 2**40, np.sort(CODES), np.arange(N), np.arange(1, N + 1)[::-1]):
        WRITERS[name](tmp_path / name, "stimuli", labels)
        check_rows(read(tmp_path / name), labels)


@every_format
def test_texts_that_look_like_numbers_stay_as_they_are(name, tmp_path):
    labels = np.array([f"{code:03}" for code in CODES])
    WRITERS[name](tmp_path / name, "stimuli", labels)
    check_rows(read(tmp_path / name), labels)


@with_columns
@pytest.mark.parametrize("key", ["stimulus", "id", "Image_ID", "stim-id", "condition", "label", "labels", "names"])
def test_names_are_found_under_the_usual_words(name, key, tmp_path):
    for labels in (CODES, CODES.astype(str)):
        TABLES[name](tmp_path / name, key, labels)
        check_rows(read(tmp_path / name), labels)


@with_columns
@pytest.mark.parametrize("key", ["index", "__index_level_0__", "row"])
def test_a_running_number_is_no_name_and_any_other_number_is(name, key, tmp_path):
    TABLES[name](tmp_path / name, key, CODES)
    check_rows(read(tmp_path / name), CODES)
    for start in (0, 1):
        TABLES[name](tmp_path / name, key, np.arange(N) + start)
        found = read(tmp_path / name)
        assert found.names is None
        assert found.running in [tuple(map(str, np.arange(N) + first)) for first in (0, start)]
        check_rows(read(tmp_path / name, key), np.arange(N) + start)


@with_columns
def test_names_come_before_numbers_and_categories(name, tmp_path):
    texts = np.array([f"photo-{code}" for code in CODES])
    TABLES[name](tmp_path / name, "stimulus", texts, label=CODES % 3, index=np.arange(N), id=CODES)
    check_rows(read(tmp_path / name), texts)
    TABLES[name](tmp_path / name, "stimulus", np.arange(N), image=texts)
    check_rows(read(tmp_path / name), texts)
    TABLES[name](tmp_path / name, "label", CODES % 3, id=CODES)
    check_rows(read(tmp_path / name), CODES)


@with_columns
def test_the_only_text_that_tells_all_apart_names_the_stimuli_and_that_is_said(name, tmp_path):
    texts = np.array([f"photo-{code}" for code in CODES])
    TABLES[name](tmp_path / name, "shown", texts, category=np.array(list("aabbaabba")))
    found = read(tmp_path / name)
    check_rows(found, texts)
    assert "names of the stimuli are those in 'shown'" in found.notes


@with_columns
def test_where_two_texts_may_be_the_names_it_is_asked(name, tmp_path):
    texts = np.array([f"photo-{code}" for code in CODES])
    TABLES[name](tmp_path / name, "shown", texts, also=texts[::-1])
    with pytest.raises(InputError, match=r"'(shown|also)' and '(shown|also)' may both name the stimuli: .*--stim"):
        read(tmp_path / name)
    check_rows(read(tmp_path / name, "shown"), texts)
    check_rows(read(tmp_path / name, "also"), texts[::-1])
    TABLES[name](tmp_path / name, "shown", texts, also=texts)
    check_rows(read(tmp_path / name), texts)


@with_columns
def test_categories_are_no_names_and_that_is_said(name, tmp_path):
    TABLES[name](tmp_path / name, "category", np.array(list("aabbaabba")), label=CODES % 3)
    found = read(tmp_path / name)
    assert found.names is None
    for key in ("category", "label"):
        assert f"'{key}' does not tell all stimuli apart, and is not taken for names" in found.notes


@with_columns
def test_the_column_that_the_user_names_has_the_names(name, tmp_path):
    texts = np.array([f"photo-{code}" for code in CODES])
    TABLES[name](tmp_path / name, "nr", CODES, stimulus=texts)
    check_rows(read(tmp_path / name, "nr"), CODES)
    TABLES[name](tmp_path / name, "nr", CODES.astype(np.float64))
    check_rows(read(tmp_path / name, "nr"), CODES)
    for labels, message in (
        (CODES + 0.5, "the names in 'nr' are numbers that are not whole; give names with --names"),
        (CODES % 3, r"names in 'nr' \(--stimulus-column or --names give others\): two stimuli are called '2'"),
    ):
        TABLES[name](tmp_path / name, "nr", labels)
        with pytest.raises(InputError, match=message):
            read(tmp_path / name, "nr")
    TABLES[name](tmp_path / name, "nr", texts)
    with pytest.raises(InputError, match=r"no column, array or descriptor 'nrs' with a value .*; did you mean nr"):
        read(tmp_path / name, "nrs")


@pytest.mark.parametrize("name", ["x.npz", "x.h5", "x.rdms.h5"])
def test_what_is_called_like_names_and_holds_none_is_refused_rather_than_passed_over(name, tmp_path):
    for labels, message in (
        (CODES + 0.5, "the names in 'stimuli' are numbers that are not whole"),
        (CODES > 10, "are only true or false"),
        (np.array([["a", "b"]] * N), r"have shape \(9, 2\), and are no list"),
        (CODES % 3, "names in 'stimuli' .*: two stimuli are called '2'"),
        (np.array([*CODES[:8], np.nan]), "have empty cells"),
    ):
        if name == "x.rdms.h5" and labels.dtype == np.bool_:
            continue
        TABLES[name](tmp_path / name, "stimuli", labels)
        with pytest.raises(InputError, match=message):
            read(tmp_path / name)
        given = gather([tmp_path / name], "auto", (), [f"s{row}" for row in range(N)])
        assert given.names == tuple(f"s{row}" for row in range(N))


def test_names_of_a_table_may_have_any_type_that_texts_have(tmp_path):
    texts = [f"photo-{code}" for code in CODES]
    days = [date(2020, 1, 1) + timedelta(days=int(code)) for code in CODES]
    for labels, names in (
        (pl.Series(texts, dtype=pl.Categorical), texts),
        (pl.Series(texts, dtype=pl.Enum(texts)), texts),
        (pl.Series([text.encode() for text in texts]), texts),
        (pl.Series(days), [day.isoformat() for day in days]),
        (pl.Series(CODES.tolist(), dtype=pl.Decimal(10, 0)), CODES),
    ):
        for save in (save_table, save_pairs):
            save(tmp_path / "x.parquet", "stimulus", labels)
            check_rows(read(tmp_path / "x.parquet"), names)


def test_names_of_arrays_may_be_bytes_dates_or_lie_in_a_column(tmp_path):
    texts = np.array([f"\u00e9-{code}" for code in CODES])
    for labels, names in (
        (np.char.encode(texts, "utf-8"), texts),
        (texts[:, None], texts),
        (CODES[None, :], CODES),
        (np.datetime64("2020-01-01") + CODES, [str(day) for day in np.datetime64("2020-01-01") + CODES]),
    ):
        save_npz(tmp_path / "x.npz", "stimuli", labels)
        check_rows(read(tmp_path / "x.npz"), names)
        if labels.dtype.kind not in "MU":
            save_h5(tmp_path / "x.h5", "stimuli", labels)
            check_rows(read(tmp_path / "x.h5"), names)


def test_names_of_hdf5_that_cannot_be_read_are_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["V1/similarity"] = SIMILARITY
        file["stimuli"] = np.array([file["V1"].ref] * N, dtype=h5py.ref_dtype)
    with pytest.raises(InputError, match="the names in 'stimuli' are neither texts nor numbers; give names with"):
        read(tmp_path / "x.h5")


def test_a_list_of_names_in_a_group_counts_and_two_that_differ_are_asked_about(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for area, order in (("V1", 1), ("IT", -1)):
            file[f"{area}/similarity"] = SIMILARITY
            file[f"{area}/stimuli"] = CODES[::order]
    with pytest.raises(InputError, match="'IT/stimuli' and 'V1/stimuli' may both name the stimuli"):
        read(tmp_path / "x.h5")
    check_rows(read(tmp_path / "x.h5", "V1/stimuli", wanted=("V1",)), CODES)


def test_a_list_of_numbers_that_may_name_the_stimuli_is_asked_about(tmp_path):
    for labels in (CODES, CODES + 0.5, CODES % 3):
        save_npz(tmp_path / "x.npz", "nr", labels)
        with pytest.raises(InputError, match=r"'nr': it has a number for each stimulus: say --stimulus-column nr"):
            read(tmp_path / "x.npz")
        assert read(tmp_path / "x.npz", wanted=("V1",)).names is None


def test_ten_numbers_beside_ten_stimuli_are_names_and_no_matrix_of_five(tmp_path):
    ten = np.corrcoef(np.random.default_rng(0).normal(size=(10, 8)))
    labels = np.random.default_rng(1).permutation(10) + 5
    np.savez(tmp_path / "x.npz", similarity=ten, stimuli=labels)
    assert read(tmp_path / "x.npz").names == tuple(map(str, labels))
    np.savez(tmp_path / "x.npz", similarity=ten, nr=labels)
    with pytest.raises(InputError, match="say --stimulus-column nr"):
        read(tmp_path / "x.npz")


def test_activations_of_one_unit_are_no_list_of_names(tmp_path):
    np.savez(tmp_path / "x.npz", activations=ROWS[:, :1], stimuli=CODES)
    found = read(tmp_path / "x.npz")
    assert (found.names, found.layers[0].converted.kind) == (tuple(map(str, CODES)), "activations")


def test_a_condensed_matrix_that_is_called_like_names_is_a_matrix(tmp_path):
    model = (CODES[:, None] % 2 != CODES % 2)[UPPER]
    np.savez(tmp_path / "x.npz", **{"V1": 1 - SIMILARITY, "condition": model.astype(np.int64)})
    assert [layer.name for layer in read(tmp_path / "x.npz", kind="distance").layers] == ["V1", "condition"]
    np.savez(tmp_path / "x.npz", condition=np.arange(36))
    assert [layer.name for layer in read(tmp_path / "x.npz", kind="distance").layers] == ["condition"]


def test_three_stimuli_have_three_pairs_and_three_names(tmp_path):
    matrix = 1 - np.corrcoef(ROWS[:3])
    np.savez(tmp_path / "x.npz", **{"V1/rdm": matrix[np.triu_indices(3, 1)], "IT/rdm": matrix, "stimuli": [7, 3, 5]})
    found = read(tmp_path / "x.npz")
    assert (found.names, [layer.name for layer in found.layers]) == (("7", "3", "5"), ["V1", "IT"])


def test_numbers_name_matrices_too(tmp_path):
    stack = np.stack([1 - SIMILARITY, 2 - 2 * SIMILARITY])
    for rois in (np.array([7, 3]), np.array([7.0, 3.0])):
        np.savez(tmp_path / "x.npz", rdms=stack, rois=rois, stimuli=CODES)
        assert [layer.name for layer in read(tmp_path / "x.npz").layers] == ["7", "3"]
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.attrs["dissimilarity_measure"] = "correlation"
            file["dissimilarities"] = stack[:, *UPPER] / 2
            file["rdm_descriptors/index"] = np.arange(2)
            file["rdm_descriptors/roi"] = rois
            file["pattern_descriptors/conds"] = CODES
        assert [layer.name for layer in read(tmp_path / "x.h5").layers] == ["7", "3"]
    first, second = UPPER
    table = pl.DataFrame({"stimulus_i": CODES[first], "stimulus_j": CODES[second], "similarity": SIMILARITY[UPPER]})
    for layers in (pl.Series([7, 3]), pl.Series([7.0, 3.0])):
        both = [table.select(pl.lit(layers[index]).alias("layer"), pl.all()) for index in (0, 1)]
        pl.concat(both).write_parquet(tmp_path / "x.parquet")
        assert [layer.name for layer in read(tmp_path / "x.parquet").layers] == ["7", "3"]


def test_rsatoolbox_s_own_files_give_the_names_they_were_saved_with(tmp_path):
    rdm = pytest.importorskip("rsatoolbox.rdm", reason="rsatoolbox is not installed")
    for key, labels in (("conds", CODES), ("stimulus", list(map(str, CODES))), ("nr", CODES.tolist())):
        made = rdm.RDMs((1 - SIMILARITY[UPPER])[None], "correlation", pattern_descriptors={key: labels})
        made.save(str(tmp_path / "x.hdf5"), file_type="hdf5", overwrite=True)
        check_rows(read(tmp_path / "x.hdf5"), CODES)
    part = made.subset_pattern("nr", [30, 17, 25, 101])
    part.pattern_descriptors.pop("nr")
    part.save(str(tmp_path / "x.hdf5"), file_type="hdf5", overwrite=True)
    found = read(tmp_path / "x.hdf5")
    assert (found.names, found.running) in ((("0", "2", "4", "6"), None), (None, ("0", "1", "2", "3")))


def table(tmp_path: Path, **columns: object) -> Path:
    units = {f"u{unit}": ROWS[:, unit] for unit in range(12)}
    pl.DataFrame({**units, **columns}).write_parquet(tmp_path / "x.parquet")
    return tmp_path / "x.parquet"


def test_a_column_that_may_be_a_label_or_a_unit_is_asked_about(tmp_path):
    for labels in (CODES, CODES % 3, CODES.astype(np.float64), CODES.astype(np.uint8)):
        path = table(tmp_path, photo_nr=labels)
        with pytest.raises(
            InputError, match=r"column 'photo_nr' has whole numbers .*--stimulus-column photo_nr .*--kin"
        ):
            read(path)
        (layer,) = read(path, kind="activations").layers
        assert layer.converted.representation.n_features == 13
    check_rows(read(table(tmp_path, photo_nr=CODES), "photo_nr"), CODES)


def test_columns_that_are_called_like_the_other_units_are_units_whatever_they_hold(tmp_path):
    dead, binary, counts = np.zeros(N, np.int64), CODES % 2, CODES
    (layer,) = read(table(tmp_path, u12=dead, u13=binary, u14=counts)).layers
    expected = represent(np.column_stack([ROWS, dead, binary, counts]))
    np.testing.assert_allclose(layer.converted.representation.correlation, expected.correlation, atol=1e-6)
    names = ["alpha", "beta", "gamma", "delta"]
    frame = pl.DataFrame({name: CODES * factor % 11 for factor, name in enumerate(names, 2)})
    frame.write_parquet(tmp_path / "x.parquet")
    (layer,) = read(tmp_path / "x.parquet").layers
    assert layer.converted.representation.n_features == 4


def test_columns_that_describe_the_stimuli_are_no_units_and_that_is_said(tmp_path):
    found = read(table(tmp_path, stimulus=CODES, label=CODES % 3, index=np.arange(N)))
    check_rows(found, CODES)
    assert found.layers[0].converted.notes == ("not taken for units: label, index",)
    for values in (CODES + 0.5, CODES > 10):
        path = table(tmp_path, stimulus=CODES, label=values)
        with pytest.raises(InputError, match="column 'label' is called like names of stimuli and does not hold any"):
            read(path)
        assert read(path, kind="activations").layers[0].converted.representation.n_features == 13


def test_names_with_empty_cells_are_refused_in_a_table(tmp_path):
    for labels in (pl.Series([*CODES[:8].tolist(), None]), pl.Series([*map(str, CODES[:8]), None])):
        with pytest.raises(InputError, match="the names in 'stimulus' have empty cells"):
            read(table(tmp_path, stimulus=labels))


def test_pairs_may_be_of_numbers_in_any_type_and_order(tmp_path):
    rows = np.random.default_rng(0).permutation(len(UPPER[0]))
    first, second = (CODES[end][rows] for end in UPPER)
    for kinds in ((np.int64, np.int32), (np.float64, np.int64), (str, np.int64), (np.uint8, str)):
        ends = {"stimulus_i": first.astype(kinds[0]), "stimulus_j": second.astype(kinds[1])}
        pl.DataFrame({**ends, "similarity": SIMILARITY[UPPER][rows]}).write_parquet(tmp_path / "x.parquet")
        check_rows(read(tmp_path / "x.parquet"), CODES)


def test_numbers_of_pairs_that_only_count_are_no_names(tmp_path):
    first, second = UPPER
    for start in (0, 1):
        frame = pl.DataFrame({"i": first + start, "j": second + start, "similarity": SIMILARITY[UPPER]})
        frame.write_parquet(tmp_path / "x.parquet")
        found = read(tmp_path / "x.parquet")
        assert (found.names, found.running) == (None, tuple(str(row + start) for row in range(N)))
        check_rows(read(tmp_path / "x.parquet", "i"), np.arange(N) + start)
    pl.DataFrame({"i": CODES[first], "j": CODES[second], "similarity": SIMILARITY[UPPER]}).write_parquet(
        tmp_path / "x.parquet"
    )
    check_rows(read(tmp_path / "x.parquet"), CODES)


@pytest.mark.parametrize("ends", [("image_1", "image_2"), ("stim_a", "stim_b"), ("Stimulus1", "Stimulus2")])
def test_a_table_of_pairs_in_other_words_is_not_read_as_activations(ends, tmp_path):
    first, second = UPPER
    frame = pl.DataFrame({ends[0]: CODES[first], ends[1]: CODES[second], "distance": 1 - SIMILARITY[UPPER]})
    frame.write_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"seem to name pairs of stimuli: call them stimulus_i and stimulus_j"):
        read(tmp_path / "x.parquet")


def save_order(path: Path, order: list[int] | np.ndarray, key: str, labels: object) -> Path:
    np.savez(path, **{f"{path.stem}/similarity": SIMILARITY[np.ix_(order, order)], key: labels})
    return path


def test_files_with_numbers_as_names_are_brought_to_one_order(tmp_path):
    order = np.random.default_rng(0).permutation(N)
    first = save_order(tmp_path / "V1.npz", np.arange(N), "stimuli", CODES)
    second = save_order(tmp_path / "IT.npz", order, "id", CODES[order].astype(str))
    found = gather([first, second], "auto", (), None)
    assert found.names == tuple(map(str, CODES))
    for layer in found.layers:
        np.testing.assert_allclose(layer.converted.representation.correlation, SIMILARITY, atol=1e-6)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_without_names_is_taken_to_be_in_the_order_of_the_one_with_names_and_that_is_said(is_first, tmp_path):
    named = save_order(tmp_path / "V1.npz", np.arange(N), "stimuli", CODES)
    unnamed = save_order(tmp_path / "IT.npz", np.arange(N), "index", np.arange(N))
    found = gather([unnamed, named] if is_first else [named, unnamed], "auto", (), None)
    assert found.names == tuple(map(str, CODES))
    assert found.unnamed == (str(unnamed),)
    assert any("IT.npz: no stimulus names: the rows are taken to be in the order of" in note for note in found.notes)
    shuffled = save_order(tmp_path / "V1.npz", np.arange(N), "stimuli", np.arange(N)[::-1])
    with pytest.raises(
        InputError, match=r"no names but a running number, and .*V1.npz has stimuli called so in another"
    ):
        gather([unnamed, shuffled], "auto", (), None)


def test_the_user_says_names_in_one_way_only(tmp_path):
    save_npz(tmp_path / "x.npz", "stimuli", CODES)
    with pytest.raises(InputError, match="--names and --stimulus-column both say"):
        gather([tmp_path / "x.npz"], "auto", (), ["a"] * N, "stimuli")


def test_a_single_array_and_an_export_have_no_column_to_choose(tmp_path):
    np.save(tmp_path / "x.npy", SIMILARITY)
    with pytest.raises(InputError, match="--stimulus-column: no column, array or descriptor 'nr'"):
        read(tmp_path / "x.npy", "nr")
    export = Export([Layer("a", "n", "conv", (12,), 0)], [represent(ROWS)], [f"s{row}" for row in range(N)])
    for name in ("x.npz", "x.h5", "x.rdms.h5", "x.parquet"):
        choose_writer(tmp_path / name)(tmp_path / name, export)
        assert read(tmp_path / name).names == tuple(export.stimuli)
        with pytest.raises(InputError, match="--stimulus-column: no column, array or descriptor 'nr'"):
            read(tmp_path / name, "nr")

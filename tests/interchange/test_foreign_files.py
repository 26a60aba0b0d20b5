"""Files of other tools: MATLAB's, text tables and JSON, with names, in the forms in which people have them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from layerwise.core.base.errors import InputError
from layerwise.interchange.gathering import gather
from layerwise.interchange.structure import Structure, list_subjects

NAMES = ("cat", "dog", "house", "tree", "car")
N = len(NAMES)


@pytest.fixture(scope="module")
def rdm() -> np.ndarray[Any, Any]:
    """Distances between five stimuli."""
    points = np.random.default_rng(2).normal(size=(N, 3))
    return np.linalg.norm(points[:, None] - points, axis=2)


def read(path: Path, kind: str = "euclidean", **asked: Any) -> dict[str, np.ndarray[Any, Any]]:
    """The squared distances of each layer of a file, by name, and `names`."""
    found = gather([path], kind, (), None, asked.get("column"))
    layers = {
        layer.name: 2 * layer.converted.representation.entries * layer.converted.representation.deviation[0] ** 2
        for layer in found.layers
    }
    return layers | {"names": found.names}


def check(path: Path, rdm: np.ndarray[Any, Any], *layers: str, names: tuple[str, ...] | None = NAMES) -> None:
    """The file has these layers, all of them this matrix."""
    found = read(path)
    assert found.pop("names") == names
    assert tuple(found) == layers
    for values in found.values():
        assert values == pytest.approx(rdm**2, abs=1e-6)


def test_variables_of_matlab(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "brain.mat"
    savemat(path, {"V1": rdm, "V4": rdm, "stimuli": np.array(NAMES, dtype=object)})
    check(path, rdm, "V1", "V4")


def test_a_char_matrix_has_the_names(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "brain.mat"
    savemat(path, {"V1": rdm, "names": np.array(NAMES)}, do_compression=True)
    check(path, rdm, "V1")


def test_a_struct_array_names_its_matrices(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "RDMs.mat"
    structs = np.array([(rdm, "left V1"), (rdm, "right V1")], dtype=[("RDM", "O"), ("name", "O")])
    savemat(path, {"RDMs": structs})
    check(path, rdm, "left V1", "right V1", names=None)


def test_what_meadows_writes_for_several_participants(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "Meadows_things_v_v1_arrange_1D.mat"
    upper = rdm[np.triu_indices(N, 1)]
    stimuli = np.array(NAMES)
    savemat(
        path,
        {
            "rdmutv_able_cat": upper[None],
            "stimuli_able_cat": stimuli,
            "rdmutv_bold_dog": upper[None],
            "stimuli_bold_dog": stimuli,
        },
    )
    check(path, rdm, "able-cat", "bold-dog")
    savemat(path, {"rdmutv_a": upper, "stimuli_a": stimuli, "rdmutv_b": upper, "stimuli_b": stimuli[::-1].copy()})
    with pytest.raises(InputError, match="'stimuli_b' has other stimuli, or another order"):
        read(path)


def write_73(path: Path, rdm: np.ndarray[Any, Any]) -> None:
    """A file as MATLAB 7.3 writes it: axes turned round, texts as numbers, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("brain")
        skewed = rdm.copy()
        group["IT"] = skewed.T
        group["IT"].attrs["MATLAB_class"] = np.bytes_(b"double")
        references = []
        for index, name in enumerate(NAMES):
            codes = file.create_dataset(
                f"#refs#/{index}", data=np.array([[ord(letter)] for letter in name], np.uint16)
            )
            codes.attrs["MATLAB_class"] = np.bytes_(b"char")
            references.append([codes.ref])
        cells = group.create_dataset("stimuli", (N, 1), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_(b"cell")
        for index, reference in enumerate(references):
            cells[index, 0] = reference[0]
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")


def test_structs_and_cells_of_matlab_73(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "brain.mat"
    write_73(path, rdm)
    check(path, rdm, "brain/IT")


def test_activations_of_matlab_keep_their_axes(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(6, 11))
    for name, write in {"old": savemat, "new": _save_73}.items():
        path = tmp_path / f"{name}.mat"
        write(path, {"activations": values})
        (layer,) = gather([path], "auto", (), None).layers
        assert layer.converted.representation.n_stimuli == 6
        assert layer.converted.representation.n_features == 11


def _save_73(path: Path, variables: dict[str, Any]) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            file[name] = value.T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


@pytest.mark.parametrize("content", [b"", b"MATLAB 7.3 MAT-file and no more", b"MATLAB 5.0 MAT-file" + b" " * 200])
def test_a_damaged_mat_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.mat: "):
        read(path)


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
@pytest.mark.parametrize("names", ["both", "head", "side", "none", "r"])
def test_square_tables(rdm: Any, tmp_path: Path, suffix: str, separator: str, names: str) -> None:
    rows = [[f"{value:.9g}" for value in row] for row in rdm]
    if separator == ";":
        rows = [[cell.replace(".", ",") for cell in row] for row in rows]
    if names in ("both", "side", "r"):
        rows = [[name, *row] for name, row in zip(NAMES, rows, strict=True)]
    if names in ("both", "head", "r"):
        rows = [[*([""] if names == "both" else []), *NAMES], *rows]
    path = tmp_path / f"V1.{suffix}"
    path.write_text("\n".join(separator.join(row) for row in rows))
    check(path, rdm, "V1", names=None if names == "none" else NAMES)


def test_a_triangle_with_empty_cells_is_a_matrix(rdm: Any, tmp_path: Path) -> None:
    rows = [",".join(f"{rdm[i, j]:.9g}" if j >= i else "" for j in range(N)) for i in range(N)]
    path = tmp_path / "V1.csv"
    path.write_text("\n".join([",".join(NAMES), *rows]))
    check(path, rdm, "V1")


def test_a_table_of_pairs(rdm: Any, tmp_path: Path) -> None:
    lines = [f"{NAMES[i]},{NAMES[j]},{rdm[i, j]:.9g}" for i in range(N) for j in range(i + 1, N)]
    path = tmp_path / "V1.csv"
    path.write_text("\n".join(["stimulus_i,stimulus_j,distance", *lines]))
    check(path, rdm, "V1")


def test_a_table_of_activations(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(N, 4))
    lines = [",".join([name, *map(str, row)]) for name, row in zip(NAMES, values, strict=True)]
    path = tmp_path / "IT.csv"
    path.write_text("\n".join(["stimulus,u0,u1,u2,u3", *lines]))
    found = gather([path], "auto", (), None)
    assert found.names == NAMES
    assert found.layers[0].converted.representation.n_features == 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("1,2,3\n4,5", r"row 1 has 3 cells, and the last one 2"),
        ("0,1,2\n1,0,9\n2,3,0", "without a first row of names"),
        (",a,b,c\na,0,1,2\nc,1,0,3\nb,2,3,0", "row 2 is called 'c' and column 2 'b'"),
    ],
)
def test_tables_that_are_no_matrix(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=why):
        read(path)


def test_named_lists_in_json(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "ratings.json"
    path.write_text(json.dumps({"stimuli": NAMES, "human": rdm.tolist(), "remark": "pilot"}))
    check(path, rdm, "human")


def test_tasks_of_meadows_in_json(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "ratings.json"
    task = {
        "task": {"task_type": "multiarrange", "name": "arrange"},
        "stimuli": [{"name": name} for name in NAMES],
        "rdm": rdm[np.triu_indices(N, 1)].tolist(),
    }
    other = {"task": {"task_type": "info", "name": "hello"}}
    path.write_text(json.dumps({"version": "v1", "tasks": [other, task]}))
    check(path, rdm, "arrange")
    path.write_text(json.dumps({"able-cat": {"tasks": [task]}, "bold-dog": {"tasks": [other, task]}}))
    check(path, rdm, "able-cat", "bold-dog")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"a": 1}', "[" * 100_000, '{"tasks": [{"rdm": [1]}]}'])
def test_json_that_holds_nothing_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.json: "):
        read(path)


@pytest.fixture
def group(rdm: Any, tmp_path: Path) -> Path:
    """Two areas of two subjects in two sessions, as rsatoolbox saves them."""
    rsatoolbox = pytest.importorskip("rsatoolbox")
    upper = rdm[np.triu_indices(N, 1)]
    rows = [(who, area, when) for who in ("sub-1", "sub-2") for area in ("V1", "IT") for when in ("a", "b")]
    scale = np.arange(1, 1 + len(rows))
    rdms = rsatoolbox.rdm.RDMs(
        upper[None] * scale[:, None],
        dissimilarity_measure="euclidean",
        rdm_descriptors={
            "subject": [row[0] for row in rows],
            "roi": [row[1] for row in rows],
            "session": [row[2] for row in rows],
        },
        pattern_descriptors={"conds": list(NAMES)},
    )
    path = tmp_path / "group.hdf5"
    rdms.save(path, file_type="hdf5")
    return path


def test_subjects_become_runs_and_areas_layers(group: Path, rdm: Any) -> None:
    structure = Structure(("roi", "session"), "subject")
    assert list_subjects([group], structure) == ("sub-1", "sub-2")
    for first, subject in ((1, "sub-1"), (5, "sub-2")):
        found = gather([group], "auto", (), None, structure=replace(structure, subject=subject))
        assert [layer.name for layer in found.layers] == ["V1/a", "V1/b", "IT/a", "IT/b"]
        for factor, layer in enumerate(found.layers, first):
            kept = layer.converted.representation
            squared = 2 * kept.entries * kept.deviation[0] ** 2
            assert squared == pytest.approx((factor * rdm) ** 2, rel=1e-6)


@pytest.mark.parametrize(
    ("structure", "why"),
    [
        (("roi",), "several matrices of 'sub-1' are called 'V1': name what tells them apart with --layer-from"),
        (("rois",), "--layer-from: no descriptor 'rois' of the matrices; did you mean roi"),
    ],
)
def test_a_structure_that_does_not_tell_matrices_apart(group: Path, structure: tuple[str, ...], why: str) -> None:
    with pytest.raises(InputError, match=why):
        gather([group], "auto", (), None, structure=Structure(structure, "subject", "sub-1"))


def test_participants_of_meadows_are_subjects(rdm: Any, tmp_path: Path) -> None:
    path = tmp_path / "ratings.json"
    task = {"stimuli": [{"name": name} for name in NAMES], "rdm": rdm[np.triu_indices(N, 1)].tolist()}
    path.write_text(json.dumps({"able-cat": {"tasks": [task]}, "bold-dog": {"tasks": [task]}}))
    assert list_subjects([path], Structure((), "participant")) == ("able-cat", "bold-dog")


def test_a_file_without_descriptors_says_so(rdm: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", V1=rdm)
    with pytest.raises(InputError, match="this file says nothing of its matrices"):
        list_subjects([tmp_path / "plain.npz"], Structure((), "subject"))

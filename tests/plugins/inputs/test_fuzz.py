"""Whatever is in a table or an array file: it is read, or refused in one line that says why; nothing else happens."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.network.inputs import InputSpec
from layerwise.plugins.sources.array import ArraySource
from layerwise.plugins.sources.folder import find_labels
from layerwise.plugins.sources.manifest import ManifestSource
from layerwise.plugins.sources.tables import split_rows

CELLS = st.text(alphabet=st.sampled_from("ab.,;\t\"' \n\r\0é一🙂jpgpathlabel0123456789"), max_size=12)
TABLES = st.one_of(
    st.lists(st.lists(CELLS, max_size=4), max_size=6).map(lambda rows: "\n".join(",".join(row) for row in rows)),
    st.text(max_size=60),
)
LONGEST = 600


def read_or_refuse(read: Callable[..., Any], *arguments: Any) -> Any:
    """What it gives, or None where it is refused in one line."""
    try:
        return read(*arguments)
    except LayerwiseError as error:
        message = error.message
    assert len(message) < LONGEST
    assert "\n" not in message
    return None


@given(text=TABLES, encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig"]))
@settings(max_examples=150)
def test_any_table_is_read_or_refused(text: str, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        path.write_bytes(text.encode(encoding, "replace"))
        listed = read_or_refuse(ManifestSource().open, str(path))
        if listed is not None:
            assert len({stimulus.name for stimulus in listed.stimuli}) == len(listed.stimuli) > 0
        read_or_refuse(ManifestSource().list_files, str(path))
        read_or_refuse(find_labels, Path(folder), ["a.jpg", "b.png"])
        inputs = [InputSpec("a", (), "float32"), InputSpec("text", (9,), "string", (None,))]
        for wanted in (inputs, inputs[:1], inputs[1:]):
            found = read_or_refuse(ManifestSource().open_inputs, str(path), wanted)
            if found is not None:
                assert len(found.shapes) == len(wanted)
                assert all(read_or_refuse(found.decode, i) for i in range(len(found.stimuli)))


@given(rows=st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=4), min_size=1, max_size=5))
def test_a_table_that_was_written_is_read_as_it_was(rows: list[list[str]]) -> None:
    import csv

    width = len(rows[0])
    rows = [[cell.replace("\0", "").replace("\ufeff", "") for cell in row] + [""] * width for row in rows]
    rows = [[f"x{cell}x" for cell in row[:width]] for row in rows]
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(written.getvalue().encode("utf-8", "surrogatepass"))
        found = read_or_refuse(split_rows, path)
    if found is not None:
        assert [row for _, row in found] == [[cell.strip() for cell in row] for row in rows]


def whole(as_archive: bool) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    written = io.BytesIO()
    if as_archive:
        np.savez(written, images=pixels, labels=np.array(["a", "b", "c"]))
    else:
        np.save(written, pixels)
    return written.getvalue()


@given(
    as_archive=st.booleans(),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    keep=st.floats(0.1, 1.0),
    only_head=st.booleans(),
)
@settings(max_examples=200)
def test_any_array_file_is_read_or_refused(
    as_archive: bool, places: list[tuple[float, int]], keep: float, only_head: bool
) -> None:
    content = bytearray(whole(as_archive))
    n_bytes = min(len(content), 128) if only_head else len(content)
    for place, value in places:
        content[min(int(place * n_bytes), n_bytes - 1)] = value
    read_all(bytes(content[: max(1, int(keep * len(content)))]))


HEADERS = [
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4, 4, 3)}",
    "{'descr': '<f8', 'fortran_order': True, 'shape': (99999999, 4000, 4000, 3)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 4, 4, 3)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<U99999999', 'fortran_order': False, 'shape': (9999999,)}",
    "{'descr': [('a', '<f4'), ('b', '<i2')], 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (3, 4, 4, 3)}",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3, 4, 4)}",
    "{'descr': '<c16', 'fortran_order': False, 'shape': ()}",
    "{'shape': (3, 4, 4, 3)}",
    "[" * 500,
    "__import__('os').getcwd()",
]


@given(header=st.one_of(st.sampled_from(HEADERS), st.text(max_size=80)), version=st.sampled_from([1, 2, 3, 9]))
def test_any_header_of_an_array_is_read_or_refused(header: str, version: int) -> None:
    text = header.encode("latin-1", "replace") + b"\n"
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    read_all(b"\x93NUMPY" + bytes([version, 0]) + length + text + bytes(144))


def read_all(content: bytes) -> None:
    source = ArraySource()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("stimuli.npy", "stimuli.npz"):
            path = Path(folder) / name
            path.write_bytes(content)
            listed = read_or_refuse(source.open, str(path))
            if listed is not None:
                for index in range(min(3, len(listed.stimuli))):
                    read_or_refuse(listed.decode, index, (4, 4), "squash")
            specs = [InputSpec("images", (4, 4, 3), "float32")]
            found = read_or_refuse(source.open_inputs, str(path), specs)
            if found is not None:
                read_or_refuse(found.decode, 0)

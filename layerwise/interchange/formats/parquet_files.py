"""Parquet: a row for each pair of stimuli (what Layerwise exports, or `i, j, value`), or one for each stimulus.

An export's table has what people plot, the correlations; means, norms and what is known of the layers are in the
file's metadata under `layerwise`, as JSON, so that it comes back complete.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.history.checks import diagonal_of
from layerwise.interchange.checks import check_memory
from layerwise.interchange.content import FileContent, FoundRepresentation, stem_of
from layerwise.interchange.exported import BEFORE, LAYERS, STIMULI, VECTORS, Export, describe, rebuild
from layerwise.interchange.formats.layer_facts import read_facts, write_facts
from layerwise.interchange.formats.tables import PAIR_COLUMNS, read_frame
from layerwise.interchange.labels import FoundLabels

if TYPE_CHECKING:
    import polars as pl

_PAIR_BYTES = 40  # of each entry of a matrix, where half of the matrix is made a table
METADATA = "layerwise"
TYPES = "types"


def write_parquet(path: Path, export: Export) -> None:
    """A row for each layer and pair of stimuli i < j."""
    import polars as pl

    check_memory(len(export.layers) * len(export.stimuli) ** 2 * _PAIR_BYTES, "a table of pairs")
    first, second = np.triu_indices(len(export.stimuli), 1)
    pairs = pair_columns(export.stimuli, first, second)
    frames = [
        pairs.select(
            pl.lit(layer.name).alias("layer"),
            pl.all(),
            pl.Series("correlation", representation.correlation[first, second]),
            pl.Series("entry", representation.entries[first, second]).cast(pl.Float64),
        )
        for layer, representation in zip(export.layers, export.representations, strict=True)
    ]
    pl.concat(frames).write_parquet(path, metadata={METADATA: _describe(export)})


def pair_columns(stimuli: Sequence[str], first: NDArray[np.intp], second: NDArray[np.intp]) -> pl.DataFrame:
    """The columns that say which pair of stimuli a row is of: `i`, `j`, `stimulus_i`, `stimulus_j`."""
    import polars as pl

    names = pl.Series(list(stimuli), dtype=pl.String)
    return pl.DataFrame(
        {
            "i": first.astype(np.uint32),
            "j": second.astype(np.uint32),
            "stimulus_i": names.gather(first),
            "stimulus_j": names.gather(second),
        }
    )


def read_parquet(path: Path, column: str | None = None) -> FileContent:
    """Layerwise's own export, a table of pairs, or a table of activations.

    Args:
        path: The file.
        column: The column that the user says has the stimuli's names.

    Raises:
        InputError: If it is no Parquet file, is damaged, or is a table of something else.
    """
    frame, metadata = _read_table(path)
    columns = next((pair for pair in PAIR_COLUMNS if set(pair) <= set(frame.columns)), None)
    if METADATA in metadata and columns is not None:
        return _read_export(frame, metadata[METADATA])
    return read_frame(frame, stem_of(path), column)


def _read_table(path: Path) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table and its metadata; read by Arrow, which reports a damaged file where Polars may panic."""
    import polars as pl
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            check_memory(file.metadata.num_rows * 8 * file.metadata.num_columns, "the table")
            metadata = {key.decode(): value.decode() for key, value in (file.metadata.metadata or {}).items()}
            frame = pl.from_arrow(file.read())
    except (OSError, MemoryError, UnicodeDecodeError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise InputError(f"cannot be read as Parquet ({str(error).splitlines()[0]})") from error
    assert isinstance(frame, pl.DataFrame)
    return frame, metadata


def _describe(export: Export) -> str:
    described = [describe(representation) for representation in export.representations]
    said = {
        STIMULI: list(export.stimuli),
        LAYERS: json.loads(write_facts(export.layers)),
        **{field: [np.asarray(one[field]).tolist() for one in described] for field in VECTORS},
        TYPES: [one["entries"].dtype.name for one in described],
    }
    return json.dumps(said, ensure_ascii=True)


def _read_export(frame: pl.DataFrame, text: str) -> FileContent:
    import polars as pl

    try:
        described = json.loads(text)
        names = tuple(str(name) for name in described[STIMULI])
        facts = read_facts(json.dumps(described[LAYERS]))
        found = []
        for index, name in enumerate(facts):
            own = frame.filter(pl.col("layer") == name).sort("i", "j")
            fields = {key: np.array(described[key][index]) for key in (*BEFORE[1:], *VECTORS) if key in described}
            fields |= {key: fields[key].astype(np.float64) for key in fields if key != "n_features"}
            if TYPES in described:
                dtype = np.dtype(described[TYPES][index])
                diagonal = np.full(len(fields["mean"]), diagonal_of(dtype), dtype)
                fields["entries"] = _square(own, "entry", diagonal)
            else:
                diagonal = np.where(fields["norm"] > 0, 1, np.nan).astype(np.float32)
                fields["correlation"] = _square(own, "correlation", diagonal)
            found.append(FoundRepresentation(name, rebuild(name, fields), facts[name]))
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as error:
        raise InputError(f"the export is damaged ({type(error).__name__}: {error})") from error
    return FileContent(tuple(found), (FoundLabels(STIMULI, names),))


def _square(frame: pl.DataFrame, column: str, diagonal: NDArray[np.floating]) -> NDArray[np.floating]:
    """The (n, n) matrix of a column, of the type of its diagonal."""
    matrix = np.zeros((len(diagonal), len(diagonal)), dtype=diagonal.dtype)
    first, second = np.triu_indices(len(diagonal), 1)
    pairs = (frame["i"].to_numpy(), frame["j"].to_numpy())
    if not (np.array_equal(pairs[0], first) and np.array_equal(pairs[1], second)):
        raise ValueError("some pairs of stimuli are missing or there twice")
    matrix[first, second] = frame[column].to_numpy()
    matrix[second, first] = matrix[first, second]
    np.fill_diagonal(matrix, diagonal)
    return matrix

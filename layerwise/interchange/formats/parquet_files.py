"""Parquet: a row for each pair of stimuli (what Layerwise exports, or `i, j, value`), or one for each stimulus.

An export's table has what people plot, the correlations; means, norms and what is known of the layers are in the
file's metadata under `layerwise`, as JSON, so that it comes back complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import check_memory
from layerwise.interchange.content import (
    FileContent,
    FoundArray,
    FoundRepresentation,
    about,
    hint_of,
    stem_of,
)
from layerwise.interchange.exported import FIELDS, LAYERS, STIMULI, Export, rebuild
from layerwise.interchange.formats.activation_tables import read_activations
from layerwise.interchange.formats.columns import is_number, read_column
from layerwise.interchange.formats.layer_facts import read_facts, write_facts
from layerwise.interchange.formats.pair_tables import fill_matrix
from layerwise.interchange.labels import FoundLabels

if TYPE_CHECKING:
    import polars as pl

METADATA = "layerwise"
PAIR_COLUMNS = (("stimulus_i", "stimulus_j"), ("i", "j"))
"""What the two columns that name a pair are called; names before numbers."""


def write_parquet(path: Path, export: Export) -> None:
    """A row for each layer and pair of stimuli i < j."""
    import polars as pl

    first, second = np.triu_indices(len(export.stimuli), 1)
    pairs = pair_columns(export.stimuli, first, second)
    frames = [
        pairs.select(
            pl.lit(layer.name).alias("layer"),
            pl.all(),
            pl.Series("correlation", representation.correlation[first, second]),
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
    if columns is not None:
        return _read_pairs(frame, columns, stem_of(path))
    return read_activations(frame, stem_of(path), column)


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
    described = {
        STIMULI: list(export.stimuli),
        LAYERS: json.loads(write_facts(export.layers)),
        **{field: [np.asarray(getattr(r, field)).tolist() for r in export.representations] for field in FIELDS[1:]},
    }
    return json.dumps(described, ensure_ascii=True)


def _read_export(frame: pl.DataFrame, text: str) -> FileContent:
    import polars as pl

    try:
        described = json.loads(text)
        names = tuple(str(name) for name in described[STIMULI])
        facts = read_facts(json.dumps(described[LAYERS]))
        rows = list(zip(*(described[field] for field in FIELDS[1:]), strict=True))
        found = []
        for name, (mean, norm, n_features) in zip(facts, rows, strict=True):
            own = frame.filter(pl.col("layer") == name).sort("i", "j")
            fields = {"mean": np.array(mean, np.float64), "norm": np.array(norm, np.float64)}
            fields["n_features"] = np.array(n_features)
            fields["correlation"] = _correlations(own, fields["norm"])
            found.append(FoundRepresentation(name, rebuild(name, fields), facts[name]))
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as error:
        raise InputError(f"the export is damaged ({type(error).__name__}: {error})") from error
    return FileContent(tuple(found), (FoundLabels(STIMULI, names),))


def _correlations(frame: pl.DataFrame, norm: Any) -> Any:
    correlation = np.empty((len(norm), len(norm)), dtype=np.float32)
    first, second = np.triu_indices(len(norm), 1)
    pairs = (frame["i"].to_numpy(), frame["j"].to_numpy())
    if not (np.array_equal(pairs[0], first) and np.array_equal(pairs[1], second)):
        raise ValueError("some pairs of stimuli are missing or there twice")
    correlation[first, second] = frame["correlation"].to_numpy()
    correlation[second, first] = correlation[first, second]
    np.fill_diagonal(correlation, np.where(norm > 0, np.float32(1), np.float32(np.nan)))
    return correlation


def _read_pairs(frame: pl.DataFrame, columns: tuple[str, str], stem: str) -> FileContent:
    """A matrix for each layer and column of values."""
    taken = {"layer", *(column for pair in PAIR_COLUMNS for column in pair)}
    values = [name for name, kind in frame.schema.items() if name not in taken and is_number(kind)]
    if not values:
        raise InputError(f"no column of numbers beside {' and '.join(columns)}")
    stimuli: FoundLabels | None = None
    items: list[FoundArray] = []
    for layer, part in _by_layer(frame):
        with about(f"'{layer}'") if layer else about("pairs"):
            there, matrices, has_diagonal = fill_matrix(part, columns, values)
        if stimuli is not None and there != stimuli:
            raise InputError(f"layer '{layer}' has other stimuli, or another order of them, than the first layer")
        stimuli = there
        for value, matrix in zip(values, matrices, strict=True):
            label = "/".join(word for word in (layer, value if len(values) > 1 else "") if word) or stem
            items.append(FoundArray(label, matrix, hint_of(value), has_diagonal=has_diagonal))
    return FileContent(tuple(items), () if stimuli is None else (stimuli,))


def _by_layer(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    if "layer" not in frame.columns:
        yield "", frame
        return
    for part in frame.partition_by("layer", maintain_order=True):
        name = read_column(part["layer"].head(1))
        if name.problem:
            raise InputError(f"the names in 'layer' {name.problem}")
        yield name.values[0], part

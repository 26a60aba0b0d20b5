"""A CSV manifest: one image file a line.

Columns `path` (or, where no column is called so, the first), and where wanted `label` and `name`. Paths are
relative to the manifest. A first line whose first cell ends like an image is no header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.stimuli import Stimulus, StimulusSet
from layerwise.plugins.sources.files import FileStimulusSet, is_image_name, read_rows, resolve


@dataclass(frozen=True)
class _Columns:
    path: int = 0
    label: int | None = None
    name: int | None = None


class ManifestSource(StimulusSource):
    """Images listed in a CSV file."""

    name = "manifest"
    description = "a CSV file with a column path, and where wanted label and name"

    def accepts(self, location: str) -> bool:
        """Whether the name ends in .csv."""
        return location.lower().endswith(".csv")

    def open(self, location: str) -> StimulusSet:
        """List the files it names; those that are missing are found when they are decoded.

        Raises:
            InputError: If it is no CSV, has no rows, a row without a path, or a name twice.
        """
        manifest = resolve(location)
        listed, paths = _list_images(location)
        where = [f"line {line}, {path}" for line, _, path in listed]
        return FileStimulusSet(manifest, [stimulus for _, stimulus, _ in listed], paths, where)

    def list_files(self, location: str) -> Sequence[Path]:
        """The manifest and the images that it names."""
        manifest = resolve(location)
        return [manifest, *_list_images(location)[1]]


def _list_images(location: str) -> tuple[list[tuple[int, Stimulus, Path]], list[Path]]:
    """Line, stimulus and path as written of each row of a manifest; and where the files lie."""
    manifest = resolve(location)
    rows = read_rows(manifest)
    columns = _Columns()
    if rows and not is_image_name(rows[0][1][0]):
        columns = _read_header(rows.pop(0)[1])
    if not rows:
        raise InputError(f"{location} lists no images")
    listed = [(line, *_read_row(location, line, row, columns)) for line, row in rows]
    _refuse_duplicates(location, [(line, stimulus.name) for line, stimulus, _ in listed])
    return listed, [manifest.parent / path for _, _, path in listed]


def _read_header(cells: Sequence[str]) -> _Columns:
    head = [cell.lower() for cell in cells]
    return _Columns(
        path=head.index("path") if "path" in head else 0,
        label=head.index("label") if "label" in head else None,
        name=head.index("name") if "name" in head else None,
    )


def _read_row(location: str, line: int, row: Sequence[str], columns: _Columns) -> tuple[Stimulus, Path]:
    def cell(index: int | None) -> str:
        return row[index] if index is not None and index < len(row) else ""

    path = cell(columns.path)
    if not path:
        raise InputError(f"{location}, line {line}: no path")
    return Stimulus(cell(columns.name) or path, cell(columns.label) or None), Path(path)


def _refuse_duplicates(location: str, names: Sequence[tuple[int, str]]) -> None:
    seen: dict[str, int] = {}
    for line, name in names:
        if name in seen:
            raise InputError(f"{location}, line {line}: '{name}' is already on line {seen[name]}")
        seen[name] = line

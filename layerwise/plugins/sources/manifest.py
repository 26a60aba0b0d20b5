"""A CSV manifest: one image file a line.

Columns `path` (or another of the words in `tables`; where no column is called so, the first), and where wanted a
label and a `name`; separated by commas, semicolons or tabs. Paths are relative to the manifest. Without a header the
first column is the path, the second the label. A first row that is a file, or ends like an image, is no header.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import quote
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.inputs import InputSpec
from layerwise.core.network.stimuli import InputSet, Stimulus, StimulusSet
from layerwise.plugins.sources.files import FileStimulusSet, resolve
from layerwise.plugins.sources.tables import Table, note_unread, read_table
from layerwise.plugins.sources.texts import open_table


class ManifestSource(StimulusSource):
    """Images listed in a CSV file."""

    name = "manifest"
    description = "a CSV file with a column path, and where wanted label and name"

    def __init__(self, max_pixels: int | None = None) -> None:
        """A source of image files; `max_pixels` is how large each may be, None for the usual."""
        self._max_pixels = max_pixels

    def allowing(self, max_pixels: int) -> StimulusSource:
        """The same, of images of so many pixels at most."""
        return ManifestSource(max_pixels)

    def accepts(self, location: str) -> bool:
        """Whether the name ends in .csv."""
        return location.lower().endswith(".csv")

    def open(self, location: str) -> StimulusSet:
        """List the files it names; those that are missing are found when they are decoded.

        Raises:
            InputError: If it is no CSV, has no rows, a row without a path, or a name twice.
        """
        manifest = resolve(location)
        table = _read(location)
        listed, paths = _list_images(location, table)
        where = [f"line {line}, {path}" for line, _, path in listed]
        notes = note_unread(table, manifest.name)
        return FileStimulusSet(
            manifest, [stimulus for _, stimulus, _ in listed], paths, where, notes, self._max_pixels
        )

    def open_inputs(self, location: str, inputs: Sequence[InputSpec]) -> InputSet:
        """For models that take texts or numbers: the columns of a table with a header, `texts.open_table`."""
        return open_table(location, inputs)

    def list_files(self, location: str) -> Sequence[Path] | None:
        """The manifest and the images that it names; not known where it names none, which the model decides."""
        manifest = resolve(location)
        try:
            images = _list_images(location, _read(location))[1]
        except InputError:  # which opening it says, where it is to be a list of images
            return None
        return [manifest, *images] if all(map(_is_there, images)) else None


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except ValueError:  # a NUL in its name
        return False


def _read(location: str) -> Table:
    manifest = resolve(location)

    def is_there(cell: str) -> bool:
        try:
            return (manifest.parent / cell).is_file()
        except (OSError, ValueError):  # too long for a name, for instance
            return False

    return read_table(manifest, is_there)


def _list_images(location: str, table: Table) -> tuple[list[tuple[int, Stimulus, Path]], list[Path]]:
    """Line, stimulus and path as written of each row of a manifest; and where the files lie."""
    if not table.rows:
        raise InputError(f"{location} lists no images")
    for row in table.rows:
        if not row.path:
            raise InputError(f"{location}, line {row.line}: no path")
    listed = [(row.line, Stimulus(row.name or row.path, row.label or None), Path(row.path)) for row in table.rows]
    _refuse_duplicates(location, [(line, stimulus.name) for line, stimulus, _ in listed])
    return listed, [resolve(location).parent / path for _, _, path in listed]


def _refuse_duplicates(location: str, names: Sequence[tuple[int, str]]) -> None:
    seen: dict[str, int] = {}
    for line, name in names:
        if name in seen:
            raise InputError(f"{location}, line {line}: {quote(name)} is already on line {seen[name]}")
        seen[name] = line

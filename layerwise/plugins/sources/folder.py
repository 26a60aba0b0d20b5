"""A folder of images, with all its sub-folders.

Order is that of the relative paths, numbers by value. Hidden files and folders, and files that do not end like
an image, are passed over. Labels come from `labels.csv` in the folder; without one from the names of the
sub-folders; without those from ImageNet synsets that file names begin with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.stimuli import Stimulus, StimulusSet
from layerwise.plugins.sources.files import (
    FileStimulusSet,
    is_image_name,
    natural_key,
    read_rows,
    readable_name,
    resolve,
    synset_of,
)
from layerwise.plugins.sources.imaging import SUFFIXES

LABELS = "labels.csv"


class ImageFolderSource(StimulusSource):
    """Images in a folder and its sub-folders."""

    name = "image-folder"
    description = "a folder of images; labels from labels.csv, sub-folders or ImageNet synsets"

    def accepts(self, location: str) -> bool:
        """Whether it is a folder."""
        return resolve(location).is_dir()

    def open(self, location: str) -> StimulusSet:
        """List its images; one without any is an InputError."""
        folder = resolve(location)
        names = list_images(folder)
        if not names:
            endings = " ".join(sorted(SUFFIXES))
            raise InputError(f"no images in {location} or its sub-folders (names ending in {endings})")
        labels = find_labels(folder, names)
        stimuli = [Stimulus(readable_name(n), label) for n, label in zip(names, labels, strict=True)]
        return FileStimulusSet(folder, stimuli, [folder / name for name in names])

    def list_files(self, location: str) -> Sequence[Path]:
        """Its images, and the table of labels where there is one."""
        folder = resolve(location)
        return [folder / name for name in (*list_images(folder), LABELS) if (folder / name).is_file()]


def list_images(folder: Path) -> list[str]:
    """Relative paths of the images in a folder and its sub-folders, in natural order.

    Links to folders are followed, each folder once. A folder that cannot be read is an InputError.
    """
    names: list[str] = []
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        images = [name for name in files if is_image_name(name) and not name.startswith(".")]
        names += [(Path(root) / name).relative_to(folder).as_posix() for name in images]
    return sorted(names, key=natural_key)


def _refuse(error: OSError) -> None:
    raise InputError(f"cannot read the folder {error.filename}: {error.strerror}") from error


def find_labels(folder: Path, names: Sequence[str]) -> list[str | None]:
    """The label of each image, from the first of the three places that has any."""
    table = folder / LABELS
    if table.is_file():
        return _labels_from_table(table, names)
    if any("/" in name for name in names):
        return [readable_name(name.split("/")[0]) if "/" in name else None for name in names]
    return [synset_of(name) for name in names]


def _labels_from_table(table: Path, names: Sequence[str]) -> list[str | None]:
    """Labels from a CSV of `name,label`; a name is a relative path or, failing that, a bare file name."""
    rows = read_rows(table)
    columns = (0, 1)
    if rows and not is_image_name(rows[0][1][0]):
        head = [cell.lower() for cell in rows.pop(0)[1]]
        columns = (head.index("name") if "name" in head else 0, head.index("label") if "label" in head else 1)
    labels: dict[str, str] = {}
    for line, row in rows:
        if len(row) <= max(columns):
            raise InputError(f"{table}, line {line}: expected a name and a label, found {len(row)} column")
        name, label = row[columns[0]], row[columns[1]]
        if labels.setdefault(name, label) != label:
            raise InputError(f"{table}, line {line}: '{name}' has another label already, '{labels[name]}'")
    found = [labels.get(name, labels.get(name.rsplit("/", 1)[-1])) or None for name in names]
    if not any(found):
        raise InputError(
            f"{table} names none of the images beside it (its first column is a name, its second a label)"
        )
    return found

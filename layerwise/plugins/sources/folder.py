"""A folder of images, with all its sub-folders.

Order is that of the relative paths, numbers by value. Hidden files and folders are passed over, and so are files that
do not end like an image, which is told. Labels come from `labels.csv` in the folder; without one from the names of
the sub-folders; without those from ImageNet synsets that file names begin with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import quote
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.inputs import InputSpec
from layerwise.core.network.stimuli import InputSet, Stimulus, StimulusSet
from layerwise.plugins.sources.files import (
    FileStimulusSet,
    is_image_name,
    natural_key,
    readable_name,
    resolve,
    synset_of,
)
from layerwise.plugins.sources.imaging import SUFFIXES
from layerwise.plugins.sources.tables import NAMES, PATHS, note_unread, read_table
from layerwise.plugins.sources.texts import list_texts, open_folder

LABELS = "labels.csv"
_N_NAMED = 5


class ImageFolderSource(StimulusSource):
    """Images in a folder and its sub-folders."""

    name = "image-folder"
    description = "a folder of images; labels from labels.csv, sub-folders or ImageNet synsets"

    def __init__(self, max_pixels: int | None = None) -> None:
        """A source of image files; `max_pixels` is how large each may be, None for the usual."""
        self._max_pixels = max_pixels

    def allowing(self, max_pixels: int) -> StimulusSource:
        """The same, of images of so many pixels at most."""
        return ImageFolderSource(max_pixels)

    def accepts(self, location: str) -> bool:
        """Whether it is a folder."""
        return resolve(location).is_dir()

    def open(self, location: str) -> StimulusSet:
        """List its images; one without any is an InputError."""
        folder = resolve(location)
        names, others = _walk(folder)
        if not names:
            endings = " ".join(sorted(SUFFIXES))
            raise InputError(f"no images in {location} or its sub-folders (names ending in {endings})")
        labels, told = find_labels(folder, names)
        others = [name for name in others if name != LABELS]
        passed_over = _tell(
            f"passed over {len(others)} of {len(names) + len(others)} files, which do not end like an image", others
        )
        stimuli = [Stimulus(readable_name(n), label) for n, label in zip(names, labels, strict=True)]
        paths = [folder / name for name in names]
        return FileStimulusSet(folder, stimuli, paths, notes=(*passed_over, *told), max_pixels=self._max_pixels)

    def open_inputs(self, location: str, inputs: Sequence[InputSpec]) -> InputSet:
        """For models that take texts: its text files, `texts.open_folder`."""
        return open_folder(location, inputs)

    def list_files(self, location: str) -> Sequence[Path]:
        """Its images or text files, and the table of labels where there is one."""
        folder = resolve(location)
        if not list_images(folder):
            return list_texts(folder)
        return [folder / name for name in (*list_images(folder), LABELS) if (folder / name).is_file()]


def list_images(folder: Path) -> list[str]:
    """Relative paths of the images in a folder and its sub-folders, in natural order.

    Links to folders are followed, each folder once. A folder that cannot be read is an InputError.
    """
    return _walk(folder)[0]


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """The images in a folder and its sub-folders, as `list_images`, and the other files."""
    names: list[str] = []
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = [name for name in files if not name.startswith(".")]
        names += [(Path(root) / name).relative_to(folder).as_posix() for name in shown]
    names.sort(key=natural_key)
    return [name for name in names if is_image_name(name)], [name for name in names if not is_image_name(name)]


def _refuse(error: OSError) -> None:
    raise InputError(f"cannot read the folder {error.filename}: {error.strerror}") from error


def find_labels(folder: Path, names: Sequence[str]) -> tuple[list[str | None], tuple[str, ...]]:
    """The label of each image, from the first of the three places that has any; and what to say of it."""
    table = folder / LABELS
    if table.exists():
        return _labels_from_table(table, names)
    if any("/" in name for name in names):
        return [readable_name(name.split("/")[0]) if "/" in name else None for name in names], ()
    return [synset_of(name) for name in names], ()


def _labels_from_table(path: Path, names: Sequence[str]) -> tuple[list[str | None], tuple[str, ...]]:
    """Labels from a table; an image is a relative path or, where only one is called so, a bare file name."""
    places = _places(names)
    table = read_table(path, lambda cell: cell in places, (*PATHS, *NAMES))
    labels: dict[str, str] = {}
    strangers: list[str] = []
    for row in table.rows:
        if not table.has_labels or row.n_cells < 2:
            raise InputError(f"{path}, line {row.line}: expected a name and a label, found {row.n_cells} column")
        found = places.get(row.path, ())
        if len(found) > 1:
            raise InputError(
                f"{path}, line {row.line}: {quote(row.path)} may be {' or '.join(map(quote, found[:3]))}: write which"
            )
        if not found:
            strangers.append(row.path)
        elif labels.setdefault(found[0], row.label) != row.label:
            raise InputError(
                f"{path}, line {row.line}: {quote(row.path)} has another label already, {quote(labels[found[0]])}"
            )
    if not any(labels.values()):
        raise InputError(
            f"{path} names none of the images beside it (its first column is a name, its second a label)"
        )
    bare = [name for name in names if not labels.get(name)]
    told = (
        *note_unread(table, path.name),
        *_tell(
            f"{path.name} has {len(strangers)} of {len(table.rows)} rows for images that are not there", strangers
        ),
        *_tell(f"{path.name} has no label for {len(bare)} of {len(names)} images", bare),
    )
    return [labels.get(name) or None for name in names], told


def _places(names: Sequence[str]) -> dict[str, list[str]]:
    """The images that a word may mean: the one with this path, else those whose file name it is."""
    places: dict[str, list[str]] = {}
    for name in names:
        places.setdefault(name.rsplit("/", 1)[-1], []).append(name)
    return places | {name: [name] for name in names}


def _tell(what: str, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - _N_NAMED} more" if len(names) > _N_NAMED else ""
    return (f"{what}: {', '.join(map(readable_name, names[:_N_NAMED]))}{more}",)

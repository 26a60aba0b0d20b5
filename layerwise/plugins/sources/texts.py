"""Texts for models that carry their tokenizer: a text file with one a line, a folder of text files, a CSV column.

In a CSV table each input has a column of its name; a text is found in a column called `text`, `sentence`, `content`
or `review` as well, and the numbers of a model with one vector in all the columns that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import quote, shorten
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.inputs import InputSpec, describe_inputs
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.stimuli import InputSet, Stimulus, StimulusSet
from layerwise.plugins.sources.files import natural_key, readable_name, resolve
from layerwise.plugins.sources.named_arrays import NamedInputSet
from layerwise.plugins.sources.tables import LABELS, NAMES, read_text, split_rows

_TEXTS = ("text", "sentence", "content", "review")
_N_LISTED = 12
_LONGEST = 32  # letters of a text that are part of its name


class TextFileSource(StimulusSource):
    """A text file, one text a line."""

    name = "text-file"
    description = "a .txt file, one text a line, for models that take texts"

    def accepts(self, location: str) -> bool:
        """Whether the name ends in .txt."""
        return location.lower().endswith(".txt")

    def open(self, location: str) -> StimulusSet:
        """Refuse: texts are no pictures.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{location} holds texts, and the model takes pictures")

    def open_inputs(self, location: str, inputs: Sequence[InputSpec]) -> InputSet:
        """The lines that are not blank.

        Raises:
            InputError: If it cannot be read, or the model does not take one text.
        """
        path = resolve(location)
        spec = _only_text(location, inputs)
        texts = [line.strip() for line in read_text(path).splitlines() if line.strip()]
        if not texts:
            raise InputError(f"{location} holds no texts")
        return NamedInputSet(path.stem, str(path), name_texts(texts), inputs, {spec.name: texts})

    def list_files(self, location: str) -> Sequence[Path]:
        """The file."""
        return (resolve(location),)


def open_folder(location: str, inputs: Sequence[InputSpec]) -> InputSet:
    """The text files of a folder and its sub-folders, one text each, labelled with their sub-folder.

    Raises:
        InputError: If there are none, or the model does not take one text.
    """
    folder = resolve(location)
    spec = _only_text(location, inputs)
    names = sorted((path.relative_to(folder).as_posix() for path in list_texts(folder)), key=natural_key)
    if not names:
        raise InputError(f"no texts in {location} or its sub-folders (names ending in .txt)")
    texts = [read_text(folder / name).strip() for name in names]
    labels = [readable_name(name.split("/")[0]) if "/" in name else None for name in names]
    stimuli = [Stimulus(readable_name(name), label) for name, label in zip(names, labels, strict=True)]
    return NamedInputSet(folder.name, str(folder), stimuli, inputs, {spec.name: texts})


def list_texts(folder: Path) -> list[Path]:
    """The text files in a folder and its sub-folders that are not hidden."""
    found = folder.rglob("*.txt")
    return [p for p in found if p.is_file() and not any(q.startswith(".") for q in p.relative_to(folder).parts)]


def open_table(location: str, inputs: Sequence[InputSpec]) -> InputSet:
    """The rows of a CSV table with a header.

    Raises:
        InputError: If it cannot be read, or has no columns for the model's inputs.
    """
    path = resolve(location)
    rows = split_rows(path)
    if len(rows) < 2:
        raise InputError(f"{location} needs a header and rows below it")
    head, body = rows[0][1], rows[1:]
    for line, row in body:
        if len(row) != len(head):
            raise InputError(f"{location}, line {line}: {len(row)} columns, but the header has {len(head)}")
    words = [word.lower() for word in head]
    own = {spec.name.lower() for spec in inputs}
    label, name = (_find(words, [w for w in known if w not in own]) for known in (LABELS, NAMES))
    columns: dict[str, Any] = {}
    for spec in inputs:
        indices = _find_columns(location, spec, words, {label, name}, alone=len(inputs) == 1)
        columns[spec.name] = _read_column(location, spec, body, indices)
    texts = next((columns[spec.name] for spec in inputs if spec.is_text), None)
    names = [row[name] for _, row in body] if name is not None else None
    stimuli = name_texts(texts) if texts is not None else _number(len(body))
    if names is not None:
        _refuse_twice(location, body, names)
        stimuli = [Stimulus(word) for word in names]
    if label is not None:
        stimuli = [Stimulus(s.name, row[label] or None) for s, (_, row) in zip(stimuli, body, strict=True)]
    return NamedInputSet(path.stem, str(path), stimuli, inputs, columns)


def name_texts(texts: Sequence[str]) -> list[Stimulus]:
    """Stimuli that are called by their place and how they begin."""
    width = len(str(len(texts)))
    return [
        Stimulus(f"{place:0{width}d} {shorten(' '.join(text.split()), _LONGEST)}".rstrip())
        for place, text in enumerate(texts, start=1)
    ]


def _number(n_stimuli: int) -> list[Stimulus]:
    width = len(str(n_stimuli))
    return [Stimulus(f"{place:0{width}d}") for place in range(1, n_stimuli + 1)]


def _only_text(location: str, inputs: Sequence[InputSpec]) -> InputSpec:
    if len(inputs) != 1 or not inputs[0].is_text:
        raise InputError(f"{location} holds texts, and the model takes {describe_inputs(inputs)}")
    return inputs[0]


def _find(words: Sequence[str], known: Sequence[str]) -> int | None:
    return next((words.index(word) for word in known if word in words), None)


def _find_columns(
    location: str, spec: InputSpec, words: Sequence[str], taken: set[int | None], *, alone: bool
) -> list[int]:
    """The columns that hold an input."""
    if spec.name.lower() in words:
        return [words.index(spec.name.lower())]
    left = [index for index in range(len(words)) if index not in taken]
    if spec.is_text and alone:
        found = _find(words, _TEXTS)
        found = left[0] if found is None and len(left) == 1 else found
        if found is not None:
            return [found]
    elif alone and len(spec.shape) == 1 and len(left) == spec.shape[0]:
        return left
    raise InputError(f"{location} has columns {', '.join(map(quote, words[:_N_LISTED]))}, and none for input {spec}")


def _read_column(
    location: str, spec: InputSpec, body: Sequence[tuple[int, list[str]]], indices: Sequence[int]
) -> ArrayReader | list[str]:
    if spec.is_text:
        return [row[indices[0]] for _, row in body]
    values = np.empty((len(body), len(indices)), np.float64)
    for place, (line, row) in enumerate(body):
        for column, index in enumerate(indices):
            try:
                values[place, column] = float(row[index])
            except ValueError as error:
                raise InputError(
                    f"{location}, line {line}: {quote(row[index])} is no number for input {spec}"
                ) from error
    return ArrayReader(values[:, 0] if spec.shape == () else values)


def _refuse_twice(location: str, body: Sequence[tuple[int, list[str]]], names: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for (line, _), name in zip(body, names, strict=True):
        if not name:
            raise InputError(f"{location}, line {line}: no name")
        if name in seen:
            raise InputError(f"{location}, line {line}: {quote(name)} is already on line {seen[name]}")
        seen[name] = line

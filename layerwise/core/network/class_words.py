"""Which classes a label names: by identifier, name, synonym or index."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.network.model import ModelInfo


def label_classes(labels: Sequence[str | None], info: ModelInfo, n_classes: int) -> list[frozenset[int]]:
    """The classes that each label names, none where it names none.

    A label names a class by its identifier; else by its name or one of the synonyms in it that commas separate,
    whatever the case, `_` or `-` as good as a space; else, where it is a whole number, by its index.
    """
    known = _classes_by_word(info)
    return [_find_classes(label, known, n_classes) for label in labels]


def _classes_by_word(info: ModelInfo) -> dict[str, frozenset[int]]:
    """Words that name classes; a name that several classes share names all of them."""
    known: dict[str, set[int]] = {}
    for index, name in enumerate(info.class_names):
        for word in (name, *name.split(",")):
            known.setdefault(_normalise(word), set()).add(index)
    identifiers = {_normalise(word): {index} for index, word in enumerate(info.class_ids)}
    return {word: frozenset(classes) for word, classes in {**known, **identifiers}.items() if word}


def _find_classes(label: str | None, known: dict[str, frozenset[int]], n_classes: int) -> frozenset[int]:
    if label is None:
        return frozenset()
    word = _normalise(label)
    if word in known:
        return known[word]
    digits = label.strip()
    is_index = digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) < n_classes
    return frozenset({int(digits)}) if is_index else frozenset()


def _normalise(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("-", " ").split())

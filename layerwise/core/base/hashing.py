"""Hashes of what files hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from layerwise.core.base.machine import n_cores


def hash_file(path: Path) -> str:
    """Hex SHA-256 of a file's content.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(paths: Sequence[Path]) -> list[str]:
    """Hex SHA-256 of each file's content, several read at once.

    Raises:
        OSError: If one cannot be read.
    """
    with ThreadPoolExecutor(n_cores(), thread_name_prefix="hash") as pool:
        return list(pool.map(hash_file, paths))


def hash_texts(texts: Sequence[str]) -> str:
    """Hex SHA-256 of texts in their order, one a line."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()

"""Published weights that are downloaded once: into a cache, checked, and never half there."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import tarfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from layerwise.core.base.cache import cache_folder
from layerwise.core.base.errors import LayerwiseError

_TIMEOUT = 60.0  # seconds without a byte
_PIECE = 2**20
_LARGEST = 2**30  # bytes; what claims to be larger is not what was published


@dataclass(frozen=True)
class Asset:
    """A file that is published at an address.

    Attributes:
        name: What it is called in the cache.
        url: Where it is published; an archive where `member` is named.
        sha1: Hex digest of the file, as whoever published it gives it.
        member: The file's name in a tar archive at `url`.
    """

    name: str
    url: str
    sha1: str
    member: str = ""


def fetched_folder(model: str) -> Path:
    """Where a model's fetched files are; it need not be there."""
    return cache_folder() / "models" / model


def fetch_assets(model: str, assets: Sequence[Asset]) -> list[Path]:
    """Download what is not there yet, and check it; a file that is there but damaged is fetched anew.

    Raises:
        LayerwiseError: If one cannot be downloaded or is not what was published; it is not kept then.
    """
    folder = fetched_folder(model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_fetch(asset, folder / asset.name) for asset in assets]
    except OSError as error:
        raise LayerwiseError(
            f"cannot keep what is fetched for {model} in {folder}: {error.strerror or error}"
        ) from error


def _fetch(asset: Asset, target: Path) -> Path:
    if target.is_file() and _digest(target) == asset.sha1:
        return target
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            for piece in _download(asset):
                file.write(piece)
        found = _digest(partial)
        if found != asset.sha1:
            raise LayerwiseError(
                f"{asset.url} gave another file than was published: its SHA-1 is {found}, expected {asset.sha1}; "
                "it was not kept"
            )
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _download(asset: Asset) -> Iterator[bytes]:
    """The bytes of an asset.

    Raises:
        LayerwiseError: If they do not come.
    """
    try:
        with urllib.request.urlopen(asset.url, timeout=_TIMEOUT) as answer, _member(asset, answer) as stream:
            n_read = 0
            while piece := stream.read(_PIECE):
                n_read += len(piece)
                if n_read > _LARGEST:
                    raise LayerwiseError(f"{asset.url} gives more than a GiB; it was not kept")
                yield piece
    except (OSError, http.client.HTTPException, tarfile.TarError, EOFError, ValueError) as error:
        raise LayerwiseError(f"cannot fetch {asset.name} from {asset.url}: {error}") from error


@contextlib.contextmanager
def _member(asset: Asset, answer: IO[bytes]) -> Iterator[IO[bytes]]:
    """What is downloaded, or the file in it."""
    if not asset.member:
        yield answer
        return
    with tarfile.open(fileobj=answer, mode="r|*") as archive:
        for entry in archive:
            if entry.isfile() and Path(entry.name).name == asset.member:
                yield archive.extractfile(entry) or io.BytesIO()
                return
        raise LayerwiseError(f"there is no {asset.member} in {asset.url}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()

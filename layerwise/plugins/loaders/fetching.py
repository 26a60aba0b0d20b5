"""Published weights that are downloaded once: into a cache, checked, and never taken for whole when they are not.

A download that breaks off leaves what came beside its place, as `.NAME.part`; the next one goes on from there.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwise.core.base.cache import cache_folder
from layerwise.core.base.errors import LayerwiseError

_TIMEOUT = 60.0  # seconds without a byte
_PIECE = 2**20
_LARGEST = 2**32  # bytes; what claims to be larger is not what was published
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
_PARTIAL, _NOTHING_LEFT = 206, 416


@dataclass(frozen=True)
class Asset:
    """A file that is published at an address.

    Attributes:
        name: What it is called in the cache.
        url: Where it is published; an archive where `member` is named.
        digest: Its MD5, SHA-1 or SHA-256 in hex, as whoever published it gives it; empty where they give none.
        member: The file's name in a tar archive at `url`.
    """

    name: str
    url: str
    digest: str
    member: str = ""


def fetched_folder(model: str) -> Path:
    """Where a model's fetched files are; it need not be there."""
    return cache_folder() / "models" / model


def fetch_assets(folder: Path, assets: Sequence[Asset]) -> list[Path]:
    """Download what is not there yet, and check it; a file that is there but damaged is fetched anew.

    Raises:
        LayerwiseError: If one cannot be downloaded, or is not what was published.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_fetch(asset, folder / asset.name) for asset in assets]
    except OSError as error:
        raise LayerwiseError(f"cannot keep what is fetched in {folder}: {error.strerror or error}") from error


def _fetch(asset: Asset, target: Path) -> Path:
    if target.is_file() and _is_sound(target, asset.digest):
        return target
    partial = target.with_name(f".{target.name}.part")
    goes_on = partial.is_file()
    _download(asset, partial)
    whole = _take(asset, partial)
    if not _is_sound(whole, asset.digest) and goes_on:  # what was there may have been the beginning of another file
        _remove(partial, whole)
        _download(asset, partial)
        whole = _take(asset, partial)
    if not _is_sound(whole, asset.digest):
        found = _digest(whole, asset.digest)
        _remove(partial, whole)
        raise LayerwiseError(
            f"{asset.url} gave another file than was published: its checksum is {found}, expected {asset.digest}; "
            "it was not kept"
        )
    whole.replace(target)
    _remove(partial)
    return target


def _download(asset: Asset, partial: Path) -> None:
    """Add what is missing of the file at an asset's address.

    Raises:
        LayerwiseError: If it does not come; what came is left.
    """
    n_bytes = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(asset.url, headers={"Range": f"bytes={n_bytes}-"} if n_bytes else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            n_bytes = n_bytes if answer.status == _PARTIAL else 0
            n_wanted = n_bytes + int(answer.headers.get("Content-Length") or -n_bytes)
            with partial.open("ab" if n_bytes else "wb") as file:
                while piece := answer.read(_PIECE):
                    n_bytes += file.write(piece)
                    if n_bytes > _LARGEST:
                        raise LayerwiseError(f"{asset.url} gives more than 4 GiB; that is not {asset.name}")
    except urllib.error.HTTPError as error:
        if error.code == _NOTHING_LEFT and n_bytes:
            return
        raise LayerwiseError(f"cannot fetch {asset.name} from {asset.url}: {error}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise LayerwiseError(f"cannot fetch {asset.name} from {asset.url}: {error}{_rest(partial)}") from error
    if n_wanted and n_bytes < n_wanted:
        raise LayerwiseError(f"{asset.url} broke off after {n_bytes:,} of {n_wanted:,} bytes{_rest(partial)}")


def _rest(partial: Path) -> str:
    return "; the same command goes on from there" if partial.is_file() and partial.stat().st_size else ""


def _take(asset: Asset, partial: Path) -> Path:
    """What was downloaded, or the file in it.

    Raises:
        LayerwiseError: If it is no archive, or there is no such file in it; it is not kept then.
    """
    if not asset.member:
        return partial
    taken = partial.with_name(f"{partial.name}.member")
    try:
        with tarfile.open(partial) as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if Path(entry.name).name == asset.member and content is not None:
                    with taken.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    return taken
    except (tarfile.TarError, EOFError, OSError) as error:
        _remove(partial, taken)
        raise LayerwiseError(f"cannot fetch {asset.member} from {asset.url}: {error}") from error
    _remove(partial)
    raise LayerwiseError(f"there is no {asset.member} in {asset.url}")


def _is_sound(path: Path, digest: str) -> bool:
    return not digest or _digest(path, digest) == digest


def _digest(path: Path, like: str) -> str:
    """The checksum of a file, of the kind that another one is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _ALGORITHMS[len(like)]).hexdigest()


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)

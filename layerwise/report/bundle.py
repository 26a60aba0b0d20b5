"""Vega, Vega-Lite and Vega-Embed as one script, put together once for each version of the libraries and then kept.

Putting them together takes a second or two of each report. What is kept is checked before it becomes part of a page:
it must be the user's own file, and whole. Where it cannot be kept or read, the script is put together again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import lru_cache
from pathlib import Path

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.writing import replacing
from layerwise.core.host.registry import distribution_version

SNIPPET = "window.vegaEmbed = vegaEmbed;"


@lru_cache(maxsize=1)
def vega_bundle() -> str:
    """The libraries of the version that Altair writes for."""
    import altair as alt
    import platformdirs
    import vl_convert

    major, minor, *_ = alt.SCHEMA_VERSION.removeprefix("v").split(".")
    wanted = f"vl-convert {distribution_version('vl-convert-python')}, vega-lite {major}.{minor}: {SNIPPET}"
    path = platformdirs.user_cache_path("layerwise") / f"vega-{_digest(wanted.encode())[:16]}.js"
    kept = read_kept(path)
    if kept is None:
        kept = str(vl_convert.javascript_bundle(SNIPPET, vl_version=f"{major}.{minor}"))
        keep(path, kept)
    return kept


def read_kept(path: Path) -> str | None:
    """A script that `keep` has written; None where there is none, it is not whole, or others may have written it."""
    try:
        if not _is_own(path):
            return None
        head, _, script = path.read_bytes().partition(b"\n")
        return script.decode() if head == _head(script) else None
    except (OSError, UnicodeDecodeError):
        return None


def keep(path: Path, script: str) -> None:
    """Keep a script for the next time, whole or not at all; where it cannot be written, it is not kept."""
    content = script.encode()
    with contextlib.suppress(OSError, LayerwiseError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as written:
            written.write_bytes(_head(content) + b"\n" + content)


def _is_own(path: Path) -> bool:
    if not hasattr(os, "getuid"):  # Windows, where the folder is nobody else's
        return True
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o002


def _head(script: bytes) -> bytes:
    return f"// {len(script)} bytes, sha256 {_digest(script)}".encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

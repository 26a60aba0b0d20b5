"""Looking before installing: whether what shall be installed offers a plugin, found out without installing it.

A name is looked up in an index, where anybody may have put anything. So what it leads to is first resolved without
its dependencies, and its wheel is read; what offers nothing is refused before it can replace anything.
"""

from __future__ import annotations

import configparser
import json
import re
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer

import layerwise
from layerwise.cli.plugins import packages
from layerwise.core.base.errors import InputError
from layerwise.core.host.discovery import HOST, find_installed, group_of, needs_host, normal_name
from layerwise.core.host.origins import find_origin

TORCH = "layerwise-torch"
_OF_TORCH = ("torch", "pytorch", "torchvision", "timm")
_SMALL = 32 * 2**20  # bytes; what is larger and does not even need Layerwise is not downloaded to look into it
_SECONDS = 20


def check_offers(sources: Sequence[str], *, from_index: bool, verbose: bool) -> None:
    """See that everything that shall be installed offers a plugin.

    Args:
        sources: What was named: names, paths, URLs.
        from_index: Whether a name means the index even where there is a folder of that name.
        verbose: Whether what pip says is shown.

    Raises:
        InputError: If something is no plugin, or a name is a folder's too and nobody can be asked.
        LayerwiseError: If pip cannot find it.
    """
    for source in sources:
        path = Path(source).expanduser()
        if packages.is_path(source) and path.is_dir():
            _check_project(source, path)
        elif packages.is_path(source) and path.suffix == ".whl":
            _check_wheel(source, path)
        else:
            name = packages.named_by(source)
            if name:
                _check_name(name, from_index=from_index)
            if not name or not any(
                packages.same_distribution(name, plugin.distribution) for plugin in find_installed()
            ):
                _check_published(source, verbose=verbose)


def torch_source() -> str:
    """What to say to `layerwise plugins install` for the plugin that reads PyTorch's models."""
    beside = Path(layerwise.__file__).parents[1] / "extensions" / TORCH
    origin = find_origin(TORCH)
    return str(beside) if origin == TORCH and (beside / "pyproject.toml").is_file() else origin


def _check_name(name: str, *, from_index: bool) -> None:
    if normal_name(name) in _OF_TORCH:
        raise InputError(
            f"{name} is no plugin; {TORCH} is the one that reads PyTorch's models: "
            f"`layerwise plugins install {torch_source()}`"
        )
    if from_index or not Path(name).is_dir():
        return
    if not sys.stdin.isatty():
        raise InputError(
            f"there is a folder {name} here: write ./{name} to install that, or --from-index to install the package "
            "that an index has under this name"
        )
    question = f"There is a folder {name} here (./{name} installs it). Look for {name} in the package index instead?"
    typer.confirm(question, abort=True, err=True)


def _check_project(source: str, folder: Path) -> None:
    """What the project says of itself; one that says it in code is left to pip."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return
    if not project or "entry-points" in project.get("dynamic", ()):
        return
    if not _has_group(project.get("entry-points", {})):
        raise _refuse(
            source, f'its pyproject.toml has no [project.entry-points."{group_of("comparators")}"] or the like'
        )


def _check_published(source: str, *, verbose: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="layerwise-") as folder:
        report = Path(folder) / "report.json"
        asked = ["install", "--report", str(report), "--dry-run", "--no-deps", "--ignore-installed", source]
        packages.run_pip(asked, verbose=verbose, hint=packages.hint_of_folder([source]))
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
        if not found:
            return
        metadata, url = found[0]["metadata"], str(found[0].get("download_info", {}).get("url", ""))
        said = f"{metadata['name']} {metadata['version']}"
        if not any(map(needs_host, metadata.get("requires_dist", ()))) and _size_of(url) > _SMALL:
            raise _refuse(source, f"{said} is large and does not need {HOST}")
        packages.run_pip(["wheel", "--no-deps", "--wheel-dir", folder, source], verbose=verbose)
        for wheel in Path(folder).glob("*.whl"):
            _check_wheel(source, wheel, said)


def _check_wheel(source: str, wheel: Path, said: str = "") -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", name)]
            text = archive.read(names[0]).decode("utf-8") if names else ""
        entries = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        entries.read_string(text)
    except (OSError, ValueError, zipfile.BadZipFile, configparser.Error) as error:
        raise InputError(f"{source} is no sound wheel: {error}") from error
    if not _has_group(entries.sections()):
        raise _refuse(
            source, f"{said or wheel.name} has no entry point in a group such as '{group_of('comparators')}'"
        )


def _has_group(groups: Iterable[str]) -> bool:
    return any(group == HOST or group.startswith(f"{HOST}.") for group in groups)


def _refuse(source: str, why: str) -> InputError:
    return InputError(f"{source} offers no plugin, so nothing was installed: {why}")


def _size_of(url: str) -> int:
    """Bytes of what is at a URL; 0 where that is not said."""
    try:
        request: Any = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return int(answer.headers.get("Content-Length") or 0)
    except (OSError, ValueError):
        return 0

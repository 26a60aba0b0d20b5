"""Writing the project: templates to files, all of them or none."""

from __future__ import annotations

import re
import shutil
import tempfile
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import layerwise
from layerwise.cli.scaffold.naming import Author, Names
from layerwise.cli.scaffold.parts import Part
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from jinja2 import Environment

_PROJECT = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    ".gitignore": "gitignore",
    ".github/workflows/test.yml": "test.yml",
    "tests/conftest.py": "conftest.py",
}


@dataclass(frozen=True)
class Project:
    """A project that is to be written.

    Attributes:
        names: What it is called.
        parts: What it offers.
        description: One line.
        author: Who writes it, None where it is not said.
    """

    names: Names
    parts: tuple[Part, ...]
    description: str
    author: Author | None = None


def write_project(project: Project, folder: Path) -> tuple[Path, ...]:
    """Write the project into a folder of its own, and list its files, relative to that folder.

    It is written beside its place first and moved there when it is whole.

    Raises:
        InputError: If there is something at that place already, or nothing can be written there.
    """
    if folder.exists() or folder.is_symlink():
        raise InputError(f"there is something at {folder} already: choose another name, or another place with --out")
    files = render_project(project)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as waiting:
            whole = Path(waiting) / folder.name
            for name, text in files.items():
                path = whole / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            shutil.move(whole, folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    return tuple(Path(name) for name in files)


def render_project(project: Project) -> dict[str, str]:
    """The text of every file, by its path within the project."""
    environment = _make_environment()
    values = _values(project)
    module = project.names.module
    files = {name: f"project/{template}" for name, template in _PROJECT.items()}
    files[f"src/{module}/__init__.py"] = "project/init.py"
    for part in project.parts:
        files[f"src/{module}/{part.word}.py"] = f"hooks/{part.word}/module.py"
        files[f"tests/test_{part.word}.py"] = f"hooks/{part.word}/test.py"
    return {name: environment.get_template(f"{source}.jinja").render(values) for name, source in files.items()}


def _values(project: Project) -> dict[str, Any]:
    names = project.names
    parts = [{**vars(part), "hook": part.hook, "use": part.use.format(name=names.name)} for part in project.parts]
    return {
        **vars(names),
        "parts": parts,
        "description": project.description,
        "docstring": _wrap(project.description),
        "author": project.author,
        "versions": supported_versions(layerwise.__version__),
        "year": datetime.now(tz=UTC).year,
    }


def supported_versions(release: str) -> str:
    """The versions of Layerwise that a plugin made with `release` works with: `>=0.1,<0.2`.

    Before version 1 the public surface may change with each minor version, afterwards with each major one.
    """
    found = re.match(r"(\d+)\.(\d+)", release)
    major, minor = (int(found[1]), int(found[2])) if found else (0, 0)
    following = f"0.{minor + 1}" if major == 0 else f"{major + 1}"
    return f">={major}.{minor},<{following}"


def _make_environment() -> Environment:
    """Angle brackets instead of braces, which Python and GitHub's workflows need for themselves."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("layerwise.cli.scaffold"),
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["toml"] = _quote_toml
    return environment


def _wrap(text: str) -> str:
    """A docstring that fits the project's line length."""
    lines = textwrap.wrap(text, 90)
    return lines[0] if len(lines) == 1 else "\n".join([*lines, ""])


def _quote_toml(text: str) -> str:
    """Text inside the quotes of a TOML string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')

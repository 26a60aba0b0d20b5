"""The house is as docs/architecture.md says: rooms without circles, small folders, core's top for packages only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import layerwise

PACKAGE = Path(layerwise.__file__).parent
N_MODULES_MOST = 16


def list_modules() -> dict[str, Path]:
    """Every module by its dotted name; a package stands for its `__init__`."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def read_imports(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Which modules each module imports, wherever in it: type-only imports and those inside functions, too."""
    return {name: set(_read(ast.parse(path.read_text(encoding="utf-8")), modules)) for name, path in modules.items()}


def _read(tree: ast.Module, modules: dict[str, Path]) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name if name in modules else node.module for name in names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name in modules]


def find_circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a ring, or nothing."""
    finished: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in finished:
            return []
        for other in sorted(imports[name] - {name}):
            circle = visit(other, [*way, name])
            if circle:
                return circle
        finished.add(name)
        return []

    for name in sorted(imports):
        circle = visit(name, [])
        if circle:
            return circle
    return []


def test_no_module_imports_one_that_imports_it() -> None:
    assert " -> ".join(find_circle(read_imports(list_modules()))) == ""


@pytest.mark.parametrize("kind", ["import {}", "from {} import x"])
def test_a_circle_would_be_found(tmp_path: Path, kind: str) -> None:
    modules = {name: tmp_path / f"{name}.py" for name in ("a", "b", "c")}
    for name, other in zip("abc", "bca", strict=True):
        guard = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    " if name == "c" else ""
        modules[name].write_text(guard + kind.format(other) + "\n")
    assert find_circle(read_imports(modules)) == ["a", "b", "c", "a"]


def test_the_top_of_core_holds_packages_only() -> None:
    assert [path.name for path in (PACKAGE / "core").glob("*.py")] == ["__init__.py"]


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    folders = {path.parent for path in list_modules().values()}
    sizes = {folder: len([p for p in folder.glob("*.py") if p.name != "__init__.py"]) for folder in folders}
    assert {str(folder): size for folder, size in sizes.items() if size > N_MODULES_MOST} == {}

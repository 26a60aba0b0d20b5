"""Running Python of the user's own, as `python -m` would: files and modules with what makes a network."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.plugins.loaders.keras.weights import first_line


def import_place(place: str) -> ModuleType:
    """A Python file or a module of the current folder or of installed packages, run.

    Args:
        place: A path that ends in `.py`, or a module's dotted name.

    Raises:
        InputError: If it cannot be found, or fails.
    """
    with current_folder_first():
        return _import_file(Path(place).expanduser()) if place.endswith(".py") else _import_module(place)


def find_object(place: str, name: str) -> tuple[ModuleType, Any]:
    """What a name stands for in a file or module, and that module, run.

    Args:
        place: As for `import_place`.
        name: A name in it, or a dotted path of names.

    Raises:
        InputError: If there is no such file, module or name, or it fails.
    """
    module = import_place(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [known for known in vars(found) if not known.startswith("_")]
            raise InputError(f"'{place}' has no '{name}'{near_names(part, names)}")
        found = getattr(found, part)
    return module, found


@contextmanager
def current_folder_first() -> Iterator[None]:
    """Within it modules are looked for in the current folder first; afterwards there last."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path and "" not in sys.path:
            sys.path.append(folder)


def describe_error(error: BaseException) -> str:
    """An error's type and the reason that its message gives, in one line."""
    line, kind = first_line(error), type(error).__name__
    return line if line == kind else f"{kind}: {line}"


def _import_module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            hint = f"looked in the current folder ({Path.cwd().name}) and among installed packages"
            raise InputError(f"there is no Python module '{error.name}'; {hint}") from error
        raise InputError(f"importing '{place}' failed: {describe_error(error)}") from error
    except (Exception, SystemExit) as error:  # whatever a stranger's module does on import
        raise InputError(f"importing '{place}' failed: {describe_error(error)}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"there is no Python file '{path}'")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"'{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # dataclasses and pickles look it up while it runs
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's file does
        raise InputError(f"importing '{path}' failed: {describe_error(error)}") from error
    finally:
        if before is not None:
            sys.modules[path.stem] = before
    return module

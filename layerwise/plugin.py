"""What the author of a plugin imports: hooks, kinds of offers, and what these are handed and hand over.

    from layerwise.plugin import Metric, hookimpl

`plugin.pyi` lists the names with the modules they live in; they are loaded on first use. Checks for a plugin's tests
are in `layerwise.testing`.
"""

import ast
import importlib
from pathlib import Path
from typing import Any


def _read_stub() -> dict[str, str]:
    """The module of each name, as the stub beside this file says."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"layerwise.{node.module}" for node in imports for alias in node.names}


_PLACES = _read_stub()  # not lazy_loader's: that keeps what it has loaded in the package, where the old names warn
__all__ = sorted(_PLACES)  # noqa: PLE0605 - a list it is


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"No layerwise.plugin attribute {name}")
    value = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__.copy()

"""Layerwise: how a neural network turns the similarity of its inputs into the similarity of its outputs.

What a notebook needs is imported from here; what the author of a plugin needs from `layerwise.plugin` and
`layerwise.testing`. These names are the public surface, kept as docs/plugins/api.md says. `__init__.pyi` lists them
with the modules they live in; they are loaded on first use, so that `import layerwise` takes no time.
"""

import importlib
import warnings
from typing import Any

import lazy_loader

__version__ = "0.1.0"

_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """A public name; one that has moved to `layerwise.plugin` is found for one release more, with a warning."""
    if name not in __all__ and not name.startswith("_"):
        plugin = importlib.import_module("layerwise.plugin")
        if name in plugin.__all__:
            warnings.warn(
                f"layerwise.{name} has moved to layerwise.plugin.{name}; the old name goes with version 0.2",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(plugin, name)
    return _find(name)

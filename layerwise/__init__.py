"""Layerwise: how a neural network turns the similarity of its inputs into the similarity of its outputs.

What a notebook or the author of a plugin needs is imported from here, and from `layerwise.testing`: these names are
the public surface, kept as docs/plugins/api.md says. `__init__.pyi` lists them with the modules they live in; they
are loaded on first use, so that `import layerwise` takes no time.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""A loaded model, called as its plugin's: what it raises names that plugin, and what it gives is checked.

The engine hands tensors from the model to everything else; one of the wrong shape is found here, where it can be said
whose it is, rather than as a strange error three steps later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import PluginError
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registered import Registered
from layerwise.core.host.validation import describe
from layerwise.core.network.model import Compiled, CompiledReplaced, Floats, Model, WeightTensor
from layerwise.core.network.representation import read_only


class AttributedModel(Model):
    """A model, each of whose methods is a call of its loader's plugin."""

    def __init__(self, loader: Registered[ModelLoader], model: Model) -> None:
        self.info = model.info
        self.graph = model.graph
        self.layers = model.layers
        self.arrays = model.arrays
        self.batch_size = model.batch_size
        self.takes_any_size = model.takes_any_size
        self.inputs = model.inputs
        self.notes = model.notes
        self._loader = loader
        self._model = model

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """Pixels to the input tensor, checked."""
        given = read_only(pixels)
        tensor = self._call(self._model.preprocess, given)
        return self._check(tensor, (len(pixels), *self.info.input_shape), "preprocess")

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A compiled function whose tensors are checked."""
        return self._checked(self._call(self._model.compile, start, outputs), outputs)

    def compile_replaced(self, start: str, outputs: Sequence[str], replaced: Sequence[str]) -> CompiledReplaced:
        """The same with nodes replaced."""
        return self._checked(self._call(self._model.compile_replaced, start, outputs, replaced), outputs)

    def _checked(self, function: Any, outputs: Sequence[str]) -> Callable[..., Sequence[Floats]]:
        shapes = [self.graph[name].shape for name in outputs]

        def run(tensor: Floats, *replaced: Sequence[Floats]) -> Sequence[Floats]:
            given = self._call(function, tensor, *replaced)
            n_given = len(given) if isinstance(given, Sequence) else None
            if n_given != len(outputs):
                came = describe(given) if n_given is None else f"{n_given} tensors"
                what = f"the function compiled for {_listed(outputs)}"
                raise self._fail(f"{what} returned {came}", f"{len(outputs)} arrays")
            for name, value, shape in zip(outputs, given, shapes, strict=True):
                self._check(value, (len(tensor), *shape), f"the function compiled for '{name}'")
            return cast("Sequence[Floats]", given)

        return run

    def weights(self) -> Iterator[WeightTensor]:
        """The weight tensors, each checked to be one."""
        tensors = self._call(lambda: iter(self._model.weights()))
        while True:
            found = self._call(next, tensors, None)
            if found is None:
                return
            if not isinstance(found, WeightTensor) or not isinstance(found.values, np.ndarray):
                raise self._fail(f"weights gave {describe(found)}", "WeightTensors with arrays")
            yield found

    def refresh(self) -> None:
        """Read the weights anew, and take over what is recorded of the model then."""
        self._call(self._model.refresh)
        self.info = self._model.info

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._loader.call(function, *arguments)

    def _check(self, value: object, shape: tuple[int, ...], what: str) -> Floats:
        if self.arrays is not None:  # of the device, and of whatever precision: only the shape can be told
            if tuple(getattr(value, "shape", ())) != shape:
                raise self._fail(f"{what} returned {describe(value)}", f"a tensor with shape {shape}")
            return cast("Floats", value)
        if not isinstance(value, np.ndarray) or value.shape != shape or value.dtype != np.float32:
            raise self._fail(f"{what} returned {describe(value)}", f"an array of float32 with shape {shape}")
        return value

    def _fail(self, came: str, expected: str) -> PluginError:
        loader = self._loader
        return PluginError(loader.plugin, loader.hook, f"{loader.name}: model '{self.info.name}': {came}", expected)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:3]) + (", ..." if len(names) > 3 else "")

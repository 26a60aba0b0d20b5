"""Putting losses on the layers of a Keras model that is there already."""

from __future__ import annotations

from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.host.selection import select_layers
from layerwise.core.network.layer_naming import derive_layers
from layerwise.plugins import load_plugins
from layerwise.plugins.loaders.keras.graph import Call, translate
from layerwise.plugins.loaders.keras.layout import check_is_graph, lay_out, list_tensors, renumber
from layerwise.plugins.loaders.tensorflow_setup import import_keras


def with_losses(model: Any, *losses: Any) -> Any:
    """The same model with losses on its layers: a new `keras.Model` of the same layers and weights, to be compiled.

    Args:
        model: A functional or sequential Keras model with one input and one output. A model of another kind calls a
            loss itself, in its `call`: `loss([first, second, third])`.
        losses: `DeCov`, `SmoothDecorrelation`; their `layers` say where: names as `layerwise layers` lists them, or
            selectors. `"main"`, the default, is what `layerwise profile` follows.

    Raises:
        InputError: If the model cannot be read as a graph, a selector picks nothing, or a layer is not one tensor.
    """
    keras = import_keras()
    check_is_graph(model)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(f"Keras model '{model.name}' has not one input and one output, which losses are put between")
    laid = renumber(lay_out(model))
    calls, tensors = laid.calls, list_tensors(model)
    graph = translate(laid, {call.name: tuple(axis or 1 for axis in call.shape) for call in calls})
    layers, by_name = derive_layers(graph), {call.name: call for call in calls}
    output = model.outputs[0]
    for loss in losses:
        chosen = select_layers(load_plugins(), loss.layers, layers)
        found = [_find_tensor(by_name[layer.node], model, tensors, calls) for layer in chosen]
        if len(found) < loss.n_layers_least:
            names = ", ".join(layer.name for layer in chosen)
            raise InputError(f"{type(loss).__name__} needs {loss.n_layers_least} layers, and {names} are chosen")
        output = loss(found, passed=output)
    inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return keras.Model(inputs, output, name=model.name)


def _find_tensor(call: Call, model: Any, tensors: dict[int, Any], calls: tuple[Call, ...]) -> Any:
    if call is calls[0]:
        return model.inputs[0]
    if call is calls[-1]:
        return model.outputs[0]
    # What a softmax that hides in its layer was made of is no tensor of Keras's, nor is a layer in an inner model.
    made = None if call.keras_node is None else call.keras_node.outputs[call.output]
    is_whole = made is not None and call.operation is call.keras_node.operation
    if not is_whole or id(made) not in tensors:
        raise InputError(f"layer '{call.name}' lies inside another one of '{model.name}', where no loss can be put")
    return tensors[id(made)]

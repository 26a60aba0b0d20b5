"""Which calls of a model inside a model are the calls of its layers and nothing else.

Keras does more when it calls a model than to replay what it recorded: it matches dictionaries by the names of the
inputs, casts, adds and removes axes, and takes masks. Only where none of that happens may the inner model be laid out
layer by layer; every other call is made as Keras makes it, as one layer.
"""

from __future__ import annotations

from typing import Any


def match_inputs(model: Any, keras_node: Any) -> list[Any] | None:
    """The tensors that a call hands to the inputs of a model, in their order.

    Args:
        model: A functional or sequential Keras model.
        keras_node: Keras's record of a call of it.

    Returns:
        A tensor for each of `model.inputs`; None where the call is more than these tensors as they are.
    """
    given = _only_argument(keras_node.arguments)
    tensors = None if given is None else _order(model, given)
    if tensors is None or len(tensors) != len(model.inputs):
        return None
    fits = all(_fits(tensor, wanted) for tensor, wanted in zip(tensors, model.inputs, strict=True))
    return tensors if fits else None


def _only_argument(arguments: Any) -> Any:
    """What is called the inputs, where nothing beside them counts; else None."""
    import keras

    # Masks that nobody made are a list of None.
    named = {
        key: value for key, value in arguments.kwargs.items() if any(x is not None for x in keras.tree.flatten(value))
    }
    # A model that is run for inference is not asked to train, unless the call says so.
    if named.get("training") is False:
        del named["training"]
    given = [*arguments.args, *([named.pop("inputs")] if "inputs" in named else [])]
    return given[0] if len(given) == 1 and not named else None


def _order(model: Any, given: Any) -> list[Any] | None:
    """The tensors in the order of the model's inputs, as Keras puts them; None where it is not certain."""
    import keras

    declared = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    if isinstance(given, keras.KerasTensor):
        return [given]
    if isinstance(given, dict) and not isinstance(declared, dict):
        names = [tensor.name for tensor in model.inputs]
        is_flat = isinstance(declared, keras.KerasTensor) or _is_flat(declared)
        return [given[name] for name in names] if is_flat and set(names) <= set(given) else None
    if isinstance(given, dict):
        same = set(given) == set(declared) and _is_flat(list(declared.values())) and _is_flat(list(given.values()))
        return [given[key] for key in sorted(given)] if same else None
    return list(given) if _is_flat(given) and not isinstance(declared, dict) else None


def _is_flat(tensors: Any) -> bool:
    import keras

    return isinstance(tensors, list | tuple) and all(isinstance(tensor, keras.KerasTensor) for tensor in tensors)


def _fits(tensor: Any, wanted: Any) -> bool:
    """Whether a tensor is what an input takes, without a cast and without another number of axes."""
    import keras

    if not isinstance(tensor, keras.KerasTensor) or tensor.sparse != wanted.sparse:
        return False
    same_axes = len(tensor.shape) == len(wanted.shape)
    return (
        same_axes
        and tensor.dtype == wanted.dtype
        and all(axis is None or axis == given for axis, given in zip(wanted.shape[1:], tensor.shape[1:], strict=True))
    )

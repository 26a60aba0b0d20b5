"""Does a loader give a model that holds together, and computes the same however it is cut?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registry import Registered
from layerwise.core.network.inputs import InputSpec, pack, packed_shape
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Floats, LoadRequest, Model
from layerwise.core.runs.loading import check_model
from layerwise.testing.expecting import ask, expect, expect_named, is_same

NOT_A_MODEL = "no/such/thing.not-a-model"


def check_loader(
    loader: ModelLoader, request: LoadRequest | str, seed: int = 0, tolerance: float = 1e-4, max_nodes: int = 12
) -> None:
    """Check that a loader gives a sound model: what it says of itself, and what it computes.

    Layers are outputs of the graph with the shapes it says; `preprocess` takes uint8 and float32 pixels and changes
    neither; `compile` gives float32 of the right shapes, for any batch, the same when asked twice and the same when
    the network is cut at any of its cut points; blocks are the concatenation of their parts; probabilities sum to 1;
    weights have unique names; loading twice gives the same fingerprint, and so does a refresh where nothing has
    changed. What is no model is not accepted, or refused.

    Args:
        loader: The loader.
        request: A model that it can load, as typed or as a request: a small one, since it is computed several times.
        seed: Of the random pixels.
        tolerance: Relative to the largest value of a tensor, for tensors that should be the same.
        max_nodes: How many nodes to look at, evenly spread over those that layers are made of.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(loader, ModelLoader)
    request = LoadRequest(request) if isinstance(request, str) else request
    _check_acceptance(loader, request)
    model = _load(loader, request)
    _check_info(loader, model)
    again = _load(loader, request)
    same = again.info.fingerprint == model.info.fingerprint
    expect(same, loader, "gives another fingerprint when the same model is loaded twice")
    _check_refresh(loader, again)
    _check_weights(loader, model)
    pixels = _draw_stimuli(model, np.random.default_rng(seed))
    tensor = _check_preprocessing(loader, model, pixels)
    _check_tensors(loader, model, tensor, tolerance, max_nodes)


def _draw_stimuli(model: Model, rng: np.random.Generator) -> Any:
    """Three random stimuli: pictures, or what else the model takes."""
    if not model.inputs:
        return rng.integers(0, 256, (3, *model.info.input_shape[:2], 3), dtype=np.uint8)
    letters = np.array(list("abcdefg hij klmno pqrs tuv wxyz"))

    def draw(spec: InputSpec) -> Any:
        if spec.is_text:
            return "".join(rng.choice(letters, min(spec.shape[0], 60)))
        is_whole = not spec.dtype.startswith(("float", "bfloat"))
        return rng.integers(0, 2, spec.shape) if is_whole else rng.normal(size=spec.shape)

    return np.stack([pack(model.inputs, {spec.name: draw(spec) for spec in model.inputs}) for _ in range(3)])


def _check_acceptance(loader: ModelLoader, request: LoadRequest) -> None:
    accepted = ask(loader, "when asked whether it accepts a model", lambda: loader.accepts(request.model))
    expect(
        accepted is True,
        loader,
        f"answers {accepted!r} when asked whether it accepts '{request.model}', expected True",
    )
    for text in (NOT_A_MODEL, "", "?", "ünïcödé"):
        answer = ask(loader, f"when asked whether it accepts {text!r}", partial(loader.accepts, text))
        expect(
            isinstance(answer, bool),
            loader,
            f"answers {answer!r} when asked whether it accepts {text!r}, expected a bool",
        )
        if answer:
            _expect_refusal(loader, LoadRequest(text))
    names = ask(loader, "when asked for the models it knows", loader.known_models)
    for name in list(names)[:20]:
        expect(loader.accepts(name), loader, f"says that it knows '{name}', but does not accept it")


def _expect_refusal(loader: ModelLoader, request: LoadRequest) -> None:
    try:
        ask(loader, f"for {request.model!r}", partial(loader.load, request))
    except InputError:
        return
    expect(False, loader, f"accepts and loads {request.model!r}, expected an InputError")


def _load(loader: ModelLoader, request: LoadRequest) -> Model:
    model = ask(loader, f"when it loads '{request.model}'", lambda: loader.load(request))
    registered = Registered(
        offer=loader, plugin="checked", distribution="checked", version="0", hook="register_model_loaders"
    )
    try:
        return check_model(registered, model)
    except PluginError as error:
        raise AssertionError(str(error).partition(": ")[2]) from error


def _check_info(loader: ModelLoader, model: Model) -> None:
    info = model.info
    for name in ("name", "source", "fingerprint", "preprocessing"):
        value = getattr(info, name)
        expect(
            isinstance(value, str) and bool(value),
            loader,
            f"gives a model whose info.{name} is {value!r}, expected text",
        )
    shape = info.input_shape
    if model.inputs:
        wanted = packed_shape(model.inputs)
        expect(shape == wanted, loader, f"gives input_shape {shape}, expected that of its inputs, {wanted}")
    else:
        expect(len(shape) == 3, loader, f"gives input_shape {shape}, expected (height, width, channels)")
    expect(info.resize in ("squash", "crop"), loader, f"gives resize {info.resize!r}, expected 'squash' or 'crop'")
    roles = [layer.role for layer in model.layers]
    for role in ("input", "output"):
        expect(roles.count(role) == 1, loader, f"gives {roles.count(role)} layers in the role '{role}', expected one")
    expect(
        any(layer.is_main for layer in model.layers),
        loader,
        "marks no layer as main, expected the line from input to output",
    )
    output = next(layer for layer in model.layers if layer.role == "output")
    names = len(info.class_names)
    fits = names in (0, output.n_features)
    expect(fits, loader, f"gives {names} class names for {output.n_features} outputs, expected as many, or none")


def _check_refresh(loader: ModelLoader, model: Model) -> None:
    before, graph = model.info, model.graph
    try:
        ask(loader, "when its model's weights are read anew", model.refresh)
    except InputError:  # those of a file, which cannot change
        return
    same = model.info == before and model.graph is graph
    expect(same, loader, "gives a model that is another one after a refresh, though its weights are the same")


def _check_weights(loader: ModelLoader, model: Model) -> None:
    tensors = list(model.weights())
    names = [tensor.name for tensor in tensors]
    expect(len(set(names)) == len(names), loader, "gives weight tensors with the same name, expected unique names")
    for tensor in tensors:
        real = isinstance(tensor.values, np.ndarray) and tensor.values.dtype.kind == "f"
        expect(real, loader, f"gives weights '{tensor.name}' that are no array of floating point numbers")


def _check_preprocessing(loader: ModelLoader, model: Model, pixels: Any) -> Floats:
    before = pixels.copy()
    tensor = ask(loader, "when its model preprocesses pixels", lambda: model.preprocess(pixels))
    expect(is_same(before, pixels), loader, "changes the pixels it preprocesses, expected them as they were")
    _expect_tensor(loader, tensor, (len(pixels), *model.info.input_shape), "preprocess")
    floats = pixels.astype(np.float32)
    given = floats.copy()
    from_floats = ask(loader, "when its model preprocesses float32 pixels", lambda: model.preprocess(floats))
    expect(is_same(given, floats), loader, "changes the float32 pixels it preprocesses, expected them as they were")
    near = np.allclose(tensor, from_floats, rtol=1e-5, atol=1e-4)
    expect(near, loader, "preprocesses float32 pixels to other values than the same pixels in uint8")
    return tensor


def _check_tensors(loader: ModelLoader, model: Model, tensor: Floats, tolerance: float, max_nodes: int) -> None:
    nodes = _spread([layer.node for layer in model.layers], max_nodes)
    function = model.compile(model.graph.input, nodes)
    before = tensor.copy()
    found = [np.asarray(item) for item in ask(loader, "when its model computes", lambda: function(tensor))]
    expect(is_same(before, tensor), loader, "changes the tensor it computes from, expected it as it was")
    expect(len(found) == len(nodes), loader, f"gives {len(found)} tensors for {len(nodes)} nodes")
    for node, value in zip(nodes, found, strict=True):
        _expect_tensor(loader, value, (len(tensor), *model.graph[node].shape), f"node '{node}'")
    kept = [value.copy() for value in found]
    one = [np.asarray(item) for item in function(tensor[:1])]
    expect(is_same(kept, found), loader, "writes to tensors that it has given away, expected them to be left alone")
    for node, value, single in zip(nodes, found, one, strict=True):
        _expect_near(loader, value[:1], single, tolerance, f"node '{node}' has other values in a batch of one")
    _check_segments(loader, model, nodes, found, tolerance)
    _check_layers(loader, model, tensor, tolerance)


def _check_segments(
    loader: ModelLoader, model: Model, nodes: Sequence[str], found: list[Any], tolerance: float
) -> None:
    """What lies after a cut point must follow from its tensor alone."""
    values = dict(zip(nodes, found, strict=True))
    cuts = [cut for cut in model.graph.cut_points(nodes) if cut in values and cut != nodes[-1]]
    places = {node.name: index for index, node in enumerate(model.graph)}
    for cut in cuts:
        after = [node for node in nodes if places[node] > places[cut]]
        computed = model.compile(cut, [cut, *after])(values[cut]) if after else []
        for node, value in zip([cut, *after], computed, strict=False):
            what = f"node '{node}' has other values when computed from cut point '{cut}'"
            _expect_near(loader, values[node], np.asarray(value), tolerance, what)


def _check_layers(loader: ModelLoader, model: Model, tensor: Floats, tolerance: float) -> None:
    by_name = {layer.name: layer for layer in model.layers}
    for layer in [layer for layer in model.layers if layer.parts][:4]:
        parts = [by_name[name] for name in layer.parts]
        whole, *pieces = _tensors(model, tensor, [layer, *parts])
        joined = np.concatenate(pieces, axis=-1)
        _expect_near(loader, whole, joined, tolerance, f"layer '{layer.name}' is not its parts side by side")
    if model.info.has_probabilities:
        output = next(layer for layer in model.layers if layer.role == "output")
        sums = _tensors(model, tensor, [output])[0].reshape(len(tensor), -1).sum(axis=1)
        near = np.allclose(sums, 1, atol=1e-3)
        expect(near, loader, f"says that its output are probabilities, but they sum to {sums.tolist()}, expected 1")


def _tensors(model: Model, tensor: Floats, layers: Sequence[Layer]) -> list[Any]:
    nodes = list(dict.fromkeys(layer.node for layer in layers))
    values = dict(zip(nodes, model.compile(model.graph.input, nodes)(tensor), strict=True))
    return [np.asarray(values[layer.node]) for layer in layers]


def _spread(nodes: Sequence[str], count: int) -> list[str]:
    unique = list(dict.fromkeys(nodes))
    places = np.unique(np.linspace(0, len(unique) - 1, min(count, len(unique))).round().astype(int))
    return [unique[place] for place in places]


def _expect_tensor(loader: ModelLoader, value: Any, shape: tuple[int, ...], what: str) -> None:
    came = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
    fits = isinstance(value, np.ndarray) and value.dtype == np.float32 and value.shape == shape
    expect(fits, loader, f"gives {came} for {what}, expected float32 of shape {shape}")
    expect(bool(np.isfinite(value).all()), loader, f"gives values that are not finite for {what}")


def _expect_near(loader: ModelLoader, first: Any, second: Any, tolerance: float, failure: str) -> None:
    scale = max(float(np.abs(first).max(initial=0)), 1e-30)
    same_shape = first.shape == second.shape
    apart = float(np.abs(first - second).max(initial=0)) / scale if same_shape else float("inf")
    expect(apart <= tolerance, loader, f"gives a model whose {failure}: {apart:.2g} apart, relative to the largest")

"""What a TensorFlow graph would do, seen before anything of it is imported or loaded.

A graph can write files, read them and call Python, and a SavedModel does so while it is loaded. So each operation of
a graph and of all its functions is held against a list of those that only compute (`computing_ops.py`).

A SavedModel is a graph with two doors more. It holds operations that save and restore its variables: these may be
there as long as nothing that is loaded or asked for calls them. And its tables read vocabularies from files: these
may be nothing but the model's own assets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.opening import read_regular
from layerwise.plugins.loaders.vetting.computing_ops import COMPUTING_OPS

_SAVING = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"})
_FROM_TEXT = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_N_NAMED = 3


def check_graph(graph_def: Any, path: object) -> None:
    """Check that a graph and its functions only compute.

    Raises:
        InputError: If anything in them may do more; names it.
    """
    functions = {function.signature.name for function in graph_def.library.function}
    nodes = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    _refuse((node for node in nodes if not _computes(node, functions)), path)


def check_saved_model(folder: Path) -> None:
    """Check that a SavedModel only computes, from its protocol buffer alone.

    Raises:
        InputError: If loading or running it may do more; names it. If it cannot be read.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    path = folder / "saved_model.pb"
    try:
        saved.ParseFromString(read_regular(path))
    except DecodeError as error:
        raise InputError(f"cannot load the SavedModel {folder}: {path.name} is truncated, or none") from error
    has_objects = len(saved.meta_graphs) == 1 and saved.meta_graphs[0].HasField("object_graph_def")
    for meta in saved.meta_graphs:
        _check_assets(meta, folder)
        _refuse(_find_acting_functions(meta) if has_objects else _find_acting_nodes(meta), folder)


def _refuse(acting: Iterable[Any], path: object) -> None:
    names = list(dict.fromkeys(f"{node.op} '{node.name}'" for node in acting))
    if names:
        listed = ", ".join(names[:_N_NAMED]) + (", ..." if len(names) > _N_NAMED else "")
        raise InputError(
            f"{path} holds operations that may do more than compute ({listed}), and loading or running it would "
            "run them: if you trust the file, add --allow-unsafe"
        )


def _computes(node: Any, functions: Iterable[str]) -> bool:
    return node.op in COMPUTING_OPS or node.op in functions


def _find_acting_functions(meta: Any) -> Iterator[Any]:
    """Of a SavedModel of TensorFlow 2: its graph is not run, but what its objects call and whatever that calls."""
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    called = _list_called(meta.object_graph_def.concrete_functions, functions)
    for name, function in functions.items():
        vocabularies = _list_vocabularies(name, function, meta.object_graph_def)
        for node in function.node_def:
            if node.op in _FROM_TEXT and len(node.input) > 1:
                if node.input[1].partition(":")[0] not in vocabularies:
                    yield node
            elif not _computes(node, functions) and not (node.op in _SAVING and name not in called):
                yield node
    for node in meta.graph_def.node:
        if not _computes(node, functions) and node.op not in _SAVING:
            yield node


def _list_called(names: Iterable[str], functions: Mapping[str, Any]) -> set[str]:
    """The functions of these names, those that they call, and so on."""
    found: set[str] = set()
    waiting = [name for name in names if name in functions]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            for node in functions[name].node_def:
                waiting.extend(one for one in _list_named(node) if one in functions)
    return found


def _list_named(node: Any) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)


def _list_vocabularies(name: str, function: Any, objects: Any) -> set[str]:
    """Names of a function's arguments that are given an asset of the model, and nothing else ever."""
    if name not in objects.concrete_functions:
        return set()
    bound = objects.concrete_functions[name].bound_inputs
    captured = list(function.signature.input_arg)[-len(bound) :] if bound else []
    places = [objects.nodes[node].WhichOneof("kind") for node in bound if 0 <= node < len(objects.nodes)]
    if len(captured) != len(places):
        return set()
    return {argument.name for argument, kind in zip(captured, places, strict=True) if kind == "asset"}


def _find_acting_nodes(meta: Any) -> Iterator[Any]:
    """Of a SavedModel of TensorFlow 1: what its signatures, its initializers and restoring its variables run."""
    functions = {function.signature.name for function in meta.graph_def.library.function}
    nodes = {node.name: node for node in meta.graph_def.node}
    run = _list_run(meta, nodes)
    assets = {_operation(asset.tensor_info.name) for asset in meta.asset_file_def}
    given = _operation(meta.saver_def.filename_tensor_name)
    for function in meta.graph_def.library.function:
        yield from (node for node in function.node_def if not _computes(node, functions))
    for node in meta.graph_def.node:
        first = _follow(node.input[0], nodes) if node.input else ""
        harmless = (
            (node.op in _FROM_TEXT and len(node.input) > 1 and _follow(node.input[1], nodes) in assets)
            or (node.op in _SAVING and node.name not in run)
            or (node.op == "RestoreV2" and first == given)
        )
        if not _computes(node, functions) and not harmless:
            yield node


def _list_run(meta: Any, nodes: Mapping[str, Any]) -> set[str]:
    """All that is computed on the way to anything that the model names."""
    signatures = meta.signature_def.values()
    wanted = [meta.saver_def.restore_op_name]
    wanted += [info.name for signature in signatures for info in signature.outputs.values()]
    wanted += [name for collection in meta.collection_def.values() for name in collection.node_list.value]
    found: set[str] = set()
    waiting = [_operation(name) for name in wanted]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found.add(name)
            waiting.extend(_operation(one) for one in nodes[name].input)
    return found


def _follow(name: str, nodes: Mapping[str, Any]) -> str:
    """The operation that a tensor comes from, through those that hand it on."""
    name = _operation(name)
    seen: set[str] = set()
    while name in nodes and nodes[name].op == "Identity" and nodes[name].input and name not in seen:
        seen.add(name)
        name = _operation(nodes[name].input[0])
    return name


def _operation(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]


def _check_assets(meta: Any, folder: Path) -> None:
    inside = (folder / "assets").resolve()
    for asset in meta.asset_file_def:
        if not (inside / asset.filename).resolve().is_relative_to(inside):
            raise InputError(
                f"the SavedModel {folder} reads a file that is not one of its assets ({asset.filename}): "
                "if you trust it, add --allow-unsafe"
            )

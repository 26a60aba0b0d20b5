"""What a Keras model file would run, seen in its configuration before anything is made of it.

A configuration names classes and functions, which Keras looks up, imports and calls. Those that only compute are in a
few of Keras's own modules; the others, layers that hold code or bring in a program from elsewhere, and vocabularies
that are read from files, need the user's word. Classes that Keras does not know have to be brought along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.keras.origins import explain_unknown

_HOLD_CODE = frozenset({"Lambda", "__lambda__"})
_HOLD_PROGRAMS = frozenset({"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_PACKAGES = frozenset({"keras", "keras_hub", "keras_cv", "keras_nlp", "tf_keras", "builtins"})
_FUNCTIONS = frozenset(
    {"activations", "constraints", "initializers", "losses", "metrics", "ops", "optimizers", "quantizers", "random"}
    | {"dtype_policies", "regularizers"}
)
_COMPUTING = _FUNCTIONS | {"engine", "layers", "legacy", "models"}


def check_config(config: object, path: Path, known: Collection[str]) -> None:
    """Check that a configuration names only what computes.

    Args:
        config: What is in the file, as plain values.
        path: The file, for messages.
        known: Names of the classes and functions that were brought along.

    Raises:
        InputError: If it holds code, or names what Keras does not know.
    """
    problems = sorted(set(_find_code(config, known)))
    if problems:
        raise InputError(
            f"{path} holds code ({', '.join(problems[:5])}), which loading it would run: "
            "if you trust the file, add --allow-unsafe"
        )
    unknown = next(_find_unknown(config, known), None)
    if unknown is not None:
        raise InputError(f"cannot load {path}: {explain_unknown(path, unknown)}")


def _walk(config: object) -> Iterator[dict[str, Any]]:
    """All dictionaries in a configuration, at any depth."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _find_code(config: object, known: Collection[str]) -> Iterator[str]:
    for part in _walk(config):
        name = part.get("class_name")
        if isinstance(name, str) and name in _HOLD_CODE | _HOLD_PROGRAMS:
            yield f"{'Lambda' if name in _HOLD_CODE else name} layer {_name_of(part)}"
        elif isinstance(name, str) and _names_no_computation(part, known):
            yield f"{part['module']}.{part.get('config') if name == 'function' else name}"
        for key in ("vocabulary", "idf_weights"):
            if isinstance(part.get(key), str) and part[key]:
                yield f"a {key} in another file, {part[key]}"


def _names_no_computation(part: dict[str, Any], known: Collection[str]) -> bool:
    """Whether a class or a function is one of Keras's that do something else; what is not Keras's is unknown."""
    module = part.get("module")
    if not isinstance(module, str) or module.partition(".")[0] not in _PACKAGES or _is_known(part, known):
        return False
    return not _allows(module, _FUNCTIONS | {"builtins"} if part["class_name"] == "function" else _COMPUTING)


def _find_unknown(config: object, known: Collection[str]) -> Iterator[str]:
    """Names of classes that are neither Keras's nor brought along; their modules would be imported."""
    for part in _walk(config):
        name, module = part.get("class_name"), part.get("module")
        is_foreign = isinstance(module, str) and module.partition(".")[0] not in _PACKAGES
        if is_foreign and isinstance(name, str) and not _is_known(part, known):
            yield str(part.get("config") if name == "function" else name)


def _is_known(part: dict[str, Any], known: Collection[str]) -> bool:
    given = [part.get("class_name"), part.get("registered_name")]
    if part.get("class_name") == "function":
        given.append(part.get("config"))
    names = [name for name in given if isinstance(name, str)]
    return any(name in known for name in [*names, *(name.rpartition(">")[2] for name in names)])


def _allows(module: str, allowed: Collection[str]) -> bool:
    """Whether a module of Keras is one of these, or what lies behind one of them."""
    package, *inner = module.split(".")
    if package == "builtins":
        return "builtins" in allowed
    inner = [part for part in inner if part != "src"]
    return package in _PACKAGES and (not inner or inner[0] in allowed or package != "keras")


def _name_of(part: dict[str, Any]) -> str:
    inner = part.get("config")
    return str(inner.get("name", "without a name")) if isinstance(inner, dict) else "without a name"

"""The public surface: every name that notebooks and plugins may import, and what it promises.

layerwise/__init__.pyi and layerwise/plugin.pyi list the names. `make surface` writes down what they are in three
places, and tests hold each of them to the code: docs/plugins/surface.txt (a change of it needs a line in
CHANGELOG.md), the table of names in docs/plugins/api.md, and the signatures on each hook's page.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, get_args

import layerwise

SNAPSHOT = "surface.txt"
TABLE = "api.md"
_ROW = re.compile(r"^\| `([\w.]+)` \| ([^|]+) \|", re.MULTILINE)
_NAMES = re.compile(r"(<!-- names -->\n).*?(<!-- end -->)", re.DOTALL)
_SIGNATURES = re.compile(r"(<!-- signatures: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MEMBERS = (FunctionType, property, cached_property, classmethod, staticmethod)


def public_names() -> dict[str, Any]:
    """Every public object by its name; those of modules with a dot: `plugin.Metric`."""
    from layerwise import testing

    found: dict[str, Any] = {}
    for name in sorted(layerwise.__all__):
        value = getattr(layerwise, name)
        if isinstance(value, ModuleType):
            found.update({f"{name}.{inner}": getattr(value, inner) for inner in sorted(value.__all__)})
        else:
            found[name] = value
    found.update({f"testing.{name}": getattr(testing, name) for name in sorted(testing.__all__)})
    return found


def describe_surface() -> str:
    """The whole surface as text, in the notation of a stub file; the same for every Python."""
    from layerwise.core.host import hookspecs
    from layerwise.testing import fixtures

    parts = [describe(name, value) for name, value in public_names().items()]
    hooks = [describe(name, value) for name, value in vars(hookspecs).items() if name.startswith("register_")]
    given = [f"fixture {name}" for name in sorted(_fixture_names(fixtures))]
    return "\n".join([*hooks, *parts, *given]) + "\n"


def describe(name: str, value: Any) -> str:
    """One public object: a class with its attributes and methods, a function with its signature, or a value."""
    if inspect.isclass(value):
        return "\n".join(_describe_class(name, value))
    if inspect.isfunction(value):
        return f"def {name}{_signature(value)}: ..."
    return f"{name} = {_describe_value(value)}"


def _describe_value(value: Any) -> str:
    """A constant, or what a type alias stands for, where that reads the same under every version of NumPy."""
    if isinstance(value, frozenset):
        return f"frozenset({sorted(value)})"
    if isinstance(value, str):
        return repr(value)
    members = [getattr(member, "__name__", repr(member)) for member in get_args(value)]
    return (
        " | ".join(members)
        if members and not hasattr(value, "__metadata__") and "ndarray" not in str(value)
        else "..."
    )


def _describe_class(name: str, kind: type) -> Iterator[str]:
    public = {value for value in public_names().values() if inspect.isclass(value)}
    bases = [base.__name__ for base in kind.__bases__ if base in public]
    yield f"class {name}({', '.join(bases)}):" if bases else f"class {name}:"
    lines = [line for owner in _own_classes(kind, public) for line in _describe_members(owner)]
    yield from lines or ["    ..."]


def _own_classes(kind: type, public: set[Any]) -> Iterator[type]:
    """The class, and those of its bases that are Layerwise's but not public: their members are its own."""
    for owner in kind.__mro__:
        ours = owner.__module__.startswith("layerwise")
        if owner is kind or (ours and owner not in public):
            yield owner


def _describe_members(kind: type) -> Iterator[str]:
    defaults = {item.name: item for item in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
    annotations = inspect.get_annotations(kind)
    for name, annotation in annotations.items():
        if not name.startswith("_"):
            text = getattr(annotation, "__forward_arg__", annotation)
            yield f"    {name}: {text}{_default(name, kind, defaults)}"
    is_made = not defaults and not getattr(kind, "_is_protocol", False)  # by an __init__ that is written out
    for name, member in kind.__dict__.items():
        public = not name.startswith("_") or (name == "__init__" and is_made)
        if isinstance(member, _MEMBERS) and public and name not in annotations:
            yield from _describe_method(name, member)


def _default(name: str, kind: type, fields: dict[str, Any]) -> str:
    found = fields.get(name)
    if found is None:
        return f" = {_repr(kind.__dict__[name])}" if name in kind.__dict__ else ""
    if found.default is not dataclasses.MISSING:
        return f" = {_repr(found.default)}"
    return "" if found.default_factory is dataclasses.MISSING else " = ..."


def _describe_method(name: str, member: Any) -> Iterator[str]:
    function: Any
    if isinstance(member, property | cached_property):
        yield "    @property"
        function = member.fget if isinstance(member, property) else member.func
    elif isinstance(member, classmethod | staticmethod):
        yield f"    @{type(member).__name__}"
        function = member.__func__
    else:
        function = member
    if getattr(function, "__isabstractmethod__", False):
        yield "    @abstractmethod"
    yield f"    def {name}{_signature(function)}: ..."


def _signature(function: Callable[..., Any]) -> str:
    """The signature with its annotations as they are written in the source."""
    signature = inspect.signature(function)
    parts: list[str] = []
    starred = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        starred = starred or parameter.kind is parameter.VAR_POSITIONAL
        mark = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        mark = "**" if parameter.kind is parameter.VAR_KEYWORD else mark
        text = f"{mark}{parameter.name}"
        if parameter.annotation is not parameter.empty:
            text += f": {parameter.annotation}"
        if parameter.default is not parameter.empty:
            text += f" = {_repr(parameter.default)}"
        parts.append(text)
    returned = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    return f"({', '.join(parts)}){returned}"


def _repr(value: Any) -> str:
    """A default in short; what has no stable representation is left open."""
    text = repr(value)
    return "..." if "<" in text or isinstance(value, dict) or len(text) > 80 else text


def _fixture_names(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if "Fixture" in type(value).__name__ and name[0] != "_"]


def write_table(page: str) -> str:
    """A page whose table lists every name, since which version it is public, and what it is."""
    since = dict(_ROW.findall(page))
    rows = ["| name | since | what it is |", "|---|---|---|"]
    for name, value in public_names().items():
        rows.append(f"| `{name}` | {since.get(name, _release()).strip()} | {_first_line(value)} |")
    return _NAMES.sub(lambda found: f"{found[1]}{chr(10).join(rows)}\n{found[2]}", page)


def write_signatures(page: str) -> str:
    """A page whose signatures are those of the code."""
    from layerwise import plugin
    from layerwise.core.host import hookspecs

    known = public_names() | {name: getattr(plugin, name) for name in plugin.__all__} | vars(hookspecs)

    def fill(found: re.Match[str]) -> str:
        listed = "\n\n".join(describe(name, known[name]) for name in found[2].split())
        return f"{found[1]}```text\n{listed}\n```\n{found[3]}"

    return _SIGNATURES.sub(fill, page)


def _release() -> str:
    return ".".join(layerwise.__version__.split(".")[:2])


def _first_line(value: Any) -> str:
    documented = inspect.isclass(value) or inspect.isfunction(value)
    text = (inspect.getdoc(value) or "").partition("\n")[0] if documented else f"`{_describe_value(value)}`"
    return text.replace("|", "\\|")


def refresh(docs: Path) -> None:
    """Write the surface down everywhere.

    Args:
        docs: The folder docs/plugins of the checkout.
    """
    (docs / SNAPSHOT).write_text(describe_surface(), encoding="utf-8")
    for path in docs.rglob("*.md"):
        page = path.read_text(encoding="utf-8")
        path.write_text(write_signatures(write_table(page)), encoding="utf-8")


if __name__ == "__main__":
    refresh(Path(sys.argv[1]))
    print("The public surface is written down; say in CHANGELOG.md, under 'Public surface', what changed.")

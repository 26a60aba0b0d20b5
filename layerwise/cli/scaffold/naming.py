"""From the NAME that is typed to a distribution, a module and the name of what is offered, none of them taken."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution

from layerwise.cli.scaffold.parts import Part
from layerwise.core.base.errors import InputError
from layerwise.core.host.discovery import HOST
from layerwise.core.host.kinds import CommandGroup
from layerwise.core.host.registry import Registry
from layerwise.plugins import KINDS

_PREFIX = "layerwise-"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST = 40
_AUTHOR = re.compile(r"(?P<name>[^<>]+?)\s*(<(?P<mail>[^<>\s]+@[^<>\s]+)>)?")


@dataclass(frozen=True)
class Names:
    """What a new plugin is called.

    Attributes:
        distribution: What pip installs: `layerwise-my-cka`.
        module: What Python imports: `layerwise_my_cka`.
        name: What people type, `--with my-cka`, and the entry point; without a `layerwise-` in front.
    """

    distribution: str
    module: str
    name: str


@dataclass(frozen=True)
class Author:
    """Who writes it."""

    name: str
    mail: str = ""


def choose_names(typed: str) -> Names:
    """The names that follow from what is typed.

    Raises:
        InputError: If it cannot be the name of a distribution and a module; says why, and what could be.
    """
    if "/" in typed or "\\" in typed:
        raise InputError(f"'{typed}' is a path: NAME is only the name, --out says in which folder")
    if not _NAME.fullmatch(typed):
        wanted = "letters, digits, '-', '_' and '.', with a letter or digit at both ends"
        raise InputError(f"'{typed}' cannot be the name of a distribution: it needs {wanted}, as in my-cka")
    if len(typed) > _LONGEST:
        raise InputError(f"'{typed[:20]}...' is {len(typed)} characters long, at most {_LONGEST} are allowed")
    plain = re.sub(r"[-_.]+", "-", typed).lower()
    module = plain.replace("-", "_")
    if module[0].isdigit():
        raise InputError(
            f"'{typed}' cannot be the name of a Python module, which begins with a letter; try my-{plain}"
        )
    if keyword.iskeyword(module):
        raise InputError(f"'{typed}' is a Python keyword, and cannot be a module's name; try my-{plain}")
    return Names(plain, module, plain.removeprefix(_PREFIX) or plain)


def refuse_taken(names: Names, parts: Iterable[Part], registry: Registry, commands: Collection[str]) -> None:
    """Make sure that nothing here has one of these names already.

    Args:
        names: What it is to be called.
        parts: What it is to offer.
        registry: Knows what there is to offer.
        commands: Names of the built-in commands, which no plugin offers.

    Raises:
        InputError: If something has; says what it is.
    """
    if names.module in sys.stdlib_module_names:
        raise InputError(f"'{names.module}' is a module of Python itself; try my-{names.distribution}")
    try:
        found = distribution(names.distribution)
    except PackageNotFoundError:
        pass
    else:
        raise InputError(
            f"'{names.distribution}' is installed here already, as version {found.version}: choose another name"
        )
    if importlib.util.find_spec(names.module) is not None:
        raise InputError(f"there is a module '{names.module}' here already: choose another name")
    for status in registry.plugins:
        if status.name == names.name:
            raise InputError(
                f"there is a plugin '{names.name}' already, of {status.distribution}: choose another name"
            )
    for part in parts:
        who = _find_owner(part, names.name, registry, commands)
        if who:
            raise InputError(f"there is a {part.word} '{names.name}' already, offered by {who}: choose another name")


def _find_owner(part: Part, name: str, registry: Registry, commands: Collection[str]) -> str:
    """Who offers this name through a part's hook; empty where nobody does."""
    kind = KINDS[part.kind]
    if kind is CommandGroup and name in commands:
        return HOST
    return next((offer.distribution for offer in registry.all(kind) if offer.name == name), "")


def read_author(text: str | None) -> Author | None:
    """An author from `Name` or `Name <mail>`.

    Raises:
        InputError: If it is neither.
    """
    if text is None:
        return None
    found = _AUTHOR.fullmatch(text.strip())
    if found is None or "\n" in text:
        raise InputError(f"--author '{text}' is neither a name nor of the form 'Name <mail@example.org>'")
    return Author(found["name"], found["mail"] or "")

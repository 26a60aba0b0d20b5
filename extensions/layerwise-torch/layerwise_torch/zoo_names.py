"""Names of torchvision's classifiers, read from its source files: importing it takes seconds."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

_REGISTERED = re.compile(
    r"""^@register_model\((?:name=)?(?:"(\w+)")?\)\n  # the decorator, with a name of its own or without
    (?:[@\s)].*\n)*?                                # other decorators, which may take several lines
    def\ (\w+)""",
    re.MULTILINE | re.VERBOSE,
)


@cache
def list_torchvision() -> tuple[str, ...]:
    """Names of the installed torchvision's classifiers, sorted; none where it is not installed."""
    try:
        found = importlib.util.find_spec("torchvision")
    except (ImportError, ValueError):
        return ()
    if found is None or found.origin is None:
        return ()
    names = {
        match[1] or match[2]
        for file in sorted((Path(found.origin).parent / "models").glob("*.py"))
        for match in _REGISTERED.finditer(file.read_text(encoding="utf-8"))
    }
    return tuple(sorted(names))

"""Names of torchvision's classifiers, read from its source files: importing it takes seconds."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

_REGISTERED = re.compile(
    r"^@register_model\((?:name\s*=\s*)?(?:\"(\w+)\")?\)(?:\n@.*|\n    .*|\n\))*\ndef (\w+)", re.M
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

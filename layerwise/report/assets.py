"""The scripts and style sheets that a page carries within itself, and the policy that lets nothing else run.

A new kind of content adds its own script and style sheet here; the order is the order on the page. Scripts share
what `base.js` offers, and are otherwise closed functions.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = (
    "base",
    "downloads",
    "contents",
    "charts",
    "atlas",
    "pictures",
    "cells",
    "matrices",
    "scatter",
    "explorer",
    "plane",
    "map",
    "panels",
    "gallery",
    "page",
)
STYLES = ("page", "atlas", "panels")


def page_script() -> str:
    """The page's own script: all of `SCRIPTS`, one after the other."""
    return "\n".join(_read(f"scripts/{name}.js") for name in SCRIPTS)


def page_style() -> str:
    """The page's style sheet: all of `STYLES`, one after the other."""
    return "\n".join(_read(f"styles/{name}.css") for name in STYLES)


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def script_safe(source: str) -> str:
    """A script that cannot end its element early, whatever its strings contain."""
    return source.replace("</script", r"<\/script").replace("<!--", r"\x3C!--").replace("\r\n", "\n")


def content_policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy that runs these scripts and no other, and loads nothing but embedded images."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )

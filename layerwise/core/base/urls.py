"""URLs as they may be shown, kept and sent on: without passwords, wherever in them these stand.

A password stands between user and host (`postgresql://me:PASSWORD@host/db`), in the query part
(`postgresql:///db?host=h&password=PASSWORD`), where the port would be when the host was forgotten
(`postgresql://me:PASSWORD/db`), or in a list of words (`host=h password=PASSWORD`). Everything that prints a URL or
keeps a command goes through here.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_HIDDEN = "***"
_SECRET = re.compile(r"pass|pwd|secret|token|credential|api_?key", re.IGNORECASE)
_BEFORE_HOST = re.compile(r"(://[^:@/\s'\"]*:)[^@\s'\"]+@")
_FOR_PORT = re.compile(r"(://[^:@/\s'\"]*:)(?!\d+(?:[/?#\s'\",;)]|$))(?!\*\*\*)[^@/\s?#'\"]+")
_IN_QUERY = re.compile(r"([?&])([^=&?\s'\"]+)=([^&#\s'\"]*)")
_AS_WORD = re.compile(
    r"\b(password|passwd|sslpassword|passfile)(\s*=\s*)('[^']*'|\"[^\"]*\"|[^\s&'\";,]+)", re.IGNORECASE
)
_NO_URL = re.compile(r"(^|//|=)([^\s:/@=]*):[^\s@]+@")


def hide_passwords(text: str) -> str:
    """A text in which the passwords of URLs are replaced by asterisks; all else stays as it is."""
    text = _BEFORE_HOST.sub(rf"\1{_HIDDEN}@", text)
    text = _FOR_PORT.sub(rf"\1{_HIDDEN}", text)
    text = _IN_QUERY.sub(_hide_secret, text)
    return _AS_WORD.sub(rf"\1\2{_HIDDEN}", text)


def show_database(text: str) -> str:
    """The same of a text that was meant as a database's URL, though it may be none: `me:PASSWORD@host/db`."""
    shown = hide_passwords(text)
    return shown if "://" in shown else _NO_URL.sub(rf"\1\2:{_HIDDEN}@", shown)


def _hide_secret(found: re.Match[str]) -> str:
    if not _SECRET.search(unquote(found[2])):
        return found[0]
    return f"{found[1]}{found[2]}={_HIDDEN}"

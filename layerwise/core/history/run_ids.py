"""Ids of runs: how one is drawn, and which run is meant by an id, a prefix or `latest`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from layerwise.core.base.errors import InputError

LATEST = "latest"
ID_LENGTH = 12
_LETTERS = "abcdefghjkmnpqrstvwxyz"
_ALPHABET = "0123456789" + _LETTERS  # Crockford's: nothing that is mistaken for something else
_N_SHOWN = 3


def new_run_id() -> str:
    """A random name for a run; it begins with a letter, so that no program takes it for a number."""
    return secrets.choice(_LETTERS) + "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH - 1))


def is_id_prefix(text: str) -> bool:
    """Whether a run's id could begin with this."""
    return 0 < len(text) <= ID_LENGTH and all(character in _ALPHABET for character in text)


def check_only(run: str, found: Sequence[str], hint: str = "") -> None:
    """Check that what somebody typed means one run.

    Args:
        run: What was typed.
        found: The ids that begin with it, in order; four are enough.
        hint: What may have been meant where there is none.

    Raises:
        InputError: If there is no such run, or there are several.
    """
    if not found:
        raise InputError("there is no finished run yet" if run == LATEST else f"there is no run '{run}'{hint}")
    if len(found) > 1:
        names = ", ".join(found[:_N_SHOWN]) + (", ..." if len(found) > _N_SHOWN else "")
        raise InputError(f"more than one run begins with '{run}': {names}")

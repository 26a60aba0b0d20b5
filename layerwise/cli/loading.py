"""Loading modules without looking for garbage among them: what is loaded stays, and looking takes time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Within, nothing is collected, which is a tenth of the start of a command.

    What there is at the end of the first such block is not looked through later, either.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():
                gc.freeze()
            gc.enable()

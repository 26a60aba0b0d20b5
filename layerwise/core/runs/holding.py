"""Holding a claimed run: alive while the work lasts, failed or discarded where it ends badly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.protocols import RunStore
from layerwise.core.history.records import Claim


@contextmanager
def holding(store: RunStore, claim: Claim, let_go: Callable[[BaseException], None]) -> Iterator[None]:
    """Keep a claimed run alive while within; `let_go` is called with whatever ends the work, which then comes out.

    Letting go fails where the history is out of reach, which may be what has ended the work: that becomes a note to
    the error, for it must not stand in for the reason.
    """
    with store.keep_alive(claim):
        try:
            yield
        except BaseException as error:
            try:
                let_go(error)
            except LayerwiseError as also:
                error.add_note(f"the history still says that run {claim.run_id} is under way: {also}")
            raise

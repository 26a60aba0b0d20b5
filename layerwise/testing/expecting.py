"""What every check says when an offer does not keep its promise, and when it was given something to spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.kinds import Offer

Answer = TypeVar("Answer")


def expect(is_so: bool, offer: Offer, failure: str) -> None:
    """Raise an AssertionError that names the offer, unless it is so."""
    if not is_so:
        raise AssertionError(f"{getattr(offer, 'name', type(offer).__name__)} {failure}")


def expect_named(offer: Offer, kind: type[Offer]) -> None:
    """Check what every offer has: the right base class, a name that can be typed, one line that describes it."""
    base = isinstance(offer, kind)
    expect(
        base, offer, f"is a {type(offer).__name__}, expected an instance of a subclass of layerwise.{kind.__name__}"
    )
    name, line = getattr(offer, "name", None), getattr(offer, "description", None)
    is_name = isinstance(name, str) and bool(name) and not name.startswith("-")
    is_name = is_name and not any(letter.isspace() or letter in ":,=" for letter in str(name))
    wanted = "a word that can be typed: no spaces, no ':', ',' or '=', no '-' in front"
    expect(is_name, offer, f"has no name that can be typed: `name` is {name!r}, expected {wanted}")
    is_line = isinstance(line, str) and bool(line.strip()) and "\n" not in line
    expect(is_line, offer, f"has no description: `description` is {line!r}, expected one line of text")


def ask(offer: Offer, what: str, question: Callable[[], Answer]) -> Answer:
    """The answer; one of Layerwise's errors passes, any other exception is a failure of the check.

    Args:
        offer: Who is asked.
        what: What it is asked for, in words: `with two stimuli`.
        question: Asks it.

    Raises:
        LayerwiseError: A refusal that says why, where the offer raises one.
        AssertionError: If it raises anything else.
    """
    try:
        with np.errstate(all="ignore"):
            return question()
    except (LayerwiseError, AssertionError):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and "read-only" in str(error):
            raise AssertionError(
                f"{offer.name} changes what it is given {what}, expected it to be left alone"
            ) from error
        came = f"raises {type(error).__name__} ({error}) {what}"
        raise AssertionError(
            f"{offer.name} {came}, expected an answer, or an InputError that says why not"
        ) from error


def is_same(before: Any, after: Any) -> bool:
    """Whether two values (arrays, dataclasses, sequences of them) are the same to the last bit; NaN equals NaN."""
    if isinstance(before, np.ndarray):
        same_kind = isinstance(after, np.ndarray) and before.dtype == after.dtype and before.shape == after.shape
        return same_kind and np.array_equal(before, after, equal_nan=before.dtype.kind in "fc")
    if is_dataclass(before):
        return type(before) is type(after) and all(
            is_same(getattr(before, item.name), getattr(after, item.name)) for item in fields(before)
        )
    if isinstance(before, list | tuple):
        same_length = isinstance(after, type(before)) and len(before) == len(after)
        return same_length and all(is_same(*pair) for pair in zip(before, after, strict=True))
    if isinstance(before, float) and isinstance(after, float) and np.isnan(before):
        return bool(np.isnan(after))
    return bool(before == after)


def is_close(first: float, second: float, tolerance: float) -> bool:
    """Whether two numbers differ by no more than `tolerance`, relative to the larger one, or to 1."""
    return abs(first - second) <= tolerance * max(1.0, abs(first), abs(second))

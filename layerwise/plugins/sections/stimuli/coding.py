"""Matrices as one byte for each pair of stimuli: small enough to be sent whole, and ordered and coloured by the page.

The range of a layer's own values is divided into equal steps with zero on one of them. So a value is known to half
a step, and the page says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.report.atlas import UNDEFINED_CODE

N_STEPS = UNDEFINED_CODE - 2  # one to spare, because zero need not lie on an end


@dataclass(frozen=True)
class CodedValues:
    """Values as bytes: `value = (code + offset) * step`, and 255 where undefined."""

    codes: bytes
    step: float
    offset: int


def code_values(values: NDArray[np.floating]) -> CodedValues:
    """Values as one byte each, in steps of 1/253 of their range; NaN becomes 255."""
    exact = values.astype(np.float64)
    defined = exact[np.isfinite(exact)]
    low, high = (float(defined.min()), float(defined.max())) if defined.size else (0.0, 0.0)
    step = (high - low) / N_STEPS if high > low else abs(low) or 1.0
    offset = int(np.floor(low / step)) if high > low else round(low / step)
    codes = np.rint(np.nan_to_num(exact) / step) - offset
    codes[~np.isfinite(exact)] = UNDEFINED_CODE
    return CodedValues(codes.astype(np.uint8).tobytes(), step, offset)


def decode_values(coded: CodedValues) -> NDArray[np.float64]:
    """The values that the page shows; NaN where undefined."""
    codes = np.frombuffer(coded.codes, np.uint8).astype(np.float64)
    return np.where(codes == UNDEFINED_CODE, np.nan, (codes + coded.offset) * coded.step)

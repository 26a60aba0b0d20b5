"""The sums of one chunk, (n, width) float32, where its tensors are.

Products add up in float32 within blocks of columns, and in float64 between them. Vectors are sums in float32 about
numbers near each stimulus's own mean, each stimulus scaled to numbers near 1, so that fourth powers stay in range.
Everything that the host is to know comes over in one piece, since each piece that is fetched waits for the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from layerwise.plugin import LayerSummary, PartialSums
from numpy.typing import NDArray

from layerwise_torch.precision import multiplying

Tensor: TypeAlias = Any
Vector: TypeAlias = NDArray[np.float64]

BLOCK = 4096
"""Columns whose products add up in float32."""

_DOUBLE_CELLS = 2**21  # that are copied to float64 at a time
_TAME = 2.0**28  # float32 holds sums of squares of numbers up to here, and of their inverses
_CLOSE = 1e-3  # a share of squared lengths below which float32 loses it: `layerwise.core.network.products.find_close`
_MANY = 1 / 8
_ROWS_SAMPLED, _COLUMNS_SAMPLED = 8, 128
_ROWS_COMPARED = 1024
_NAMES = ("near", "scale", "sum", "root2", "power3", "root4", "low", "high", "nonzeros", "absolute")


@dataclass(eq=False)
class _Likeness:
    """What tells stimuli that are close: float64 sums over units, of each stimulus less the reference.

    Attributes:
        own: (n,); its squared length.
        total: (n,); its sum.
        along: (n,); its product with the reference less a number near it.
        sum: Sum of the latter.
        square: Sum of its square.
        width: Number of units.
    """

    own: Tensor
    total: Tensor
    along: Tensor
    sum: Tensor
    square: Tensor
    width: int

    def add(self, other: _Likeness) -> None:
        """Add those of more units."""
        self.own, self.total, self.along = self.own + other.own, self.total + other.total, self.along + other.along
        self.sum, self.square, self.width = self.sum + other.sum, self.square + other.square, self.width + other.width

    def find_close(self, gram: Tensor) -> Tensor:
        """(n,) of truth: which stimuli float32 does not tell from another one, or from the mean stimulus."""
        pattern = self.square - self.sum**2 / self.width
        along = self.along - self.total * self.sum / self.width
        shared = self.total**2 / self.width + torch.where(pattern > 0, along**2 / pattern, 0)
        is_close = shared > (1 - _CLOSE) * self.own
        for start in range(0, len(gram), _ROWS_COMPARED):
            rows = slice(start, start + _ROWS_COMPARED)
            near = 2 * gram[rows] > (1 - _CLOSE) * (self.own[rows, None] + self.own)
            is_close[rows] |= near.sum(dim=1) > 1  # each is near itself
        return is_close


def sum_single(values: Tensor, sums_device: Any) -> PartialSums:
    """The sums of a chunk with products in float32; in float64 after all where float32 would not do for many stimuli.

    Args:
        values: float32 (n, width).
        sums_device: Where there is float64.
    """
    found, gram, reference = _gather(values, sums_device)
    n_stimuli, width = values.shape
    peak = float(max(-found["low"].min(), found["high"].max()))
    if math.isfinite(peak) and peak and not 1 / _TAME <= peak <= _TAME:
        scale = 2.0 ** -math.frexp(peak)[1]
        again, gram, reference = _gather(values * scale, sums_device)
        found = _unscale(found, again, scale)
        gram /= scale**2
        reference = reference / scale
    close = np.flatnonzero(found["close"])
    if len(close) > _MANY * n_stimuli:
        return replace(sum_double(values.to(sums_device)), is_hard=True)
    mean, *powers = _settle_moments(found, width)
    if len(close):
        exact = _repeat(gram, torch.from_numpy(close).to(values.device), values, reference)
        for vector, repeated in zip((mean, *powers), exact, strict=True):
            vector[close] = repeated
    summary = _summarize(found, width, mean, *powers)
    return PartialSums(gram, summary, samples=(found["sample"].astype(np.float32),))


def _gather(values: Tensor, sums_device: Any) -> tuple[dict[str, Any], Tensor, Tensor]:
    """All that is wanted of a chunk, the products, and the reference."""
    n_stimuli, width = values.shape
    rows = _sum_rows(values)
    unit_sums = values.sum(dim=0)
    reference = unit_sums / n_stimuli
    centred = values.new_empty((n_stimuli + 2, width))  # with two rows whose products are sums that are wanted
    torch.sub(values, reference, out=centred[:n_stimuli])
    centred[n_stimuli] = 1
    torch.sub(reference, reference.mean(), out=centred[n_stimuli + 1])
    products = _multiply(centred, sums_device)
    gram = products[:n_stimuli, :n_stimuli].contiguous()
    some = centred[:n_stimuli]
    own = _widen(torch.linalg.vector_norm(some, dim=1), sums_device) ** 2
    gram.diagonal().copy_(own)
    pattern = products[n_stimuli:, n_stimuli:]
    total, along = products[:n_stimuli, n_stimuli], products[:n_stimuli, n_stimuli + 1]
    close = _Likeness(own, total, along, pattern[0, 1], pattern[1, 1], width).find_close(gram)
    squares = torch.linalg.vector_norm(some, dim=0)
    units = _widen(
        torch.stack([unit_sums, squares, reference, torch.linalg.vector_norm(values, math.inf, dim=0)]), sums_device
    )
    negative = _widen(rows[_NAMES.index("low")], sums_device).min() < 0
    scalars = _sum_up_units(units[0], units[1] ** 2, units[2], n_stimuli, units[3] == 0, negative)
    sample = _sample(values)
    pieces = [_widen(rows, sums_device).flatten(), close.double(), scalars, _widen(sample, sums_device)]
    return _take_apart(torch.cat(pieces).cpu().numpy(), n_stimuli), gram, reference


def _sum_rows(values: Tensor) -> Tensor:
    """float32 (10, n), as `_NAMES` has them: sums over units of each stimulus.

    Powers are of numbers about `near`, times `scale`, a power of two; of even ones there are roots.
    """
    low, high = torch.aminmax(values, dim=1)
    near = values.mean(dim=1)
    scale = _power_of_two(torch.maximum(high - near, near - low))
    apart = torch.addcmul((-near * scale)[:, None], values, scale[:, None])
    norm = torch.linalg.vector_norm
    first, second = apart.sum(dim=1), norm(apart, dim=1)
    square = apart * apart
    fourth = norm(square, dim=1)
    third = square.mul_(apart).sum(dim=1)
    counts = norm(values, 0, dim=1), norm(values, 1, dim=1)
    return torch.stack([near, scale, first, second, third, fourth, low, high, *counts])


def _power_of_two(sizes: Tensor) -> Tensor:
    """Powers of two that bring numbers near 1, exactly; 1 where they are 0."""
    exponents = sizes.contiguous().view(torch.int32) >> 23
    powers = ((254 - exponents).clamp(7, 247) << 23).view(torch.float32)
    return torch.where(sizes > 0, powers, 1)


def _multiply(centred: Tensor, sums_device: Any) -> Tensor:
    """float64 (n, n); products of the rows."""
    n_rows, width = centred.shape
    n_blocks = width // BLOCK
    total = None
    with multiplying(tf32=False):
        if n_blocks > 1:
            blocks = centred[:, : n_blocks * BLOCK].view(n_rows, n_blocks, BLOCK).transpose(0, 1)
            total = _add_up(torch.bmm(blocks, blocks.transpose(1, 2)), sums_device)
        elif n_blocks:
            total = _widen(centred[:, :BLOCK] @ centred[:, :BLOCK].T, sums_device)
        if n_blocks * BLOCK < width:
            rest = centred[:, n_blocks * BLOCK :]
            last = _widen(rest @ rest.T, sums_device)
            total = last if total is None else total.add_(last)
    return total


def _add_up(products: Tensor, sums_device: Any) -> Tensor:
    return products.to(sums_device).sum(dim=0, dtype=torch.float64)


def _widen(values: Tensor, sums_device: Any) -> Tensor:
    return values.to(sums_device).double()


def _sum_up_units(
    sums: Tensor, squares: Tensor, reference: Tensor, n_stimuli: int, dead: Tensor, negative: Tensor
) -> Tensor:
    """Dead units, sum of the others' lifetime sparseness, sum of squared variances; float64 (3,).

    Args:
        sums: (k,); sum over stimuli.
        squares: (k,); sum over stimuli of squares about the reference.
        reference: (k,); nearly the mean over stimuli.
        n_stimuli: Number of stimuli n.
        dead: (k,); which units are 0 for every stimulus.
        negative: Whether some activation is below 0, of which there is no sparseness.
    """
    means = sums / n_stimuli
    variances = (squares / n_stimuli - (reference - means) ** 2).clamp(min=0)
    live = ~dead & (means > 0)
    ratio = 1 / (1 + variances / torch.where(live, means, 1) ** 2)
    sparseness = ((1 - ratio) / (1 - 1 / n_stimuli if n_stimuli > 1 else 1)).clamp(0, 1)
    lifetime = torch.where(live, sparseness, 0).sum()
    unknown = negative | (n_stimuli < 2)
    return torch.stack([dead.sum().double(), torch.where(unknown, math.nan, lifetime), variances @ variances])


def _sample(values: Tensor) -> Tensor:
    rows, columns = (
        max(1, size // most) for size, most in zip(values.shape, (_ROWS_SAMPLED, _COLUMNS_SAMPLED), strict=True)
    )
    return values[::rows, ::columns].flatten()


def _take_apart(numbers: Vector, n_stimuli: int) -> dict[str, Any]:
    rows = numbers[: len(_NAMES) * n_stimuli].reshape(len(_NAMES), n_stimuli)
    rest = numbers[len(_NAMES) * n_stimuli :]
    found: dict[str, Any] = dict(zip(_NAMES, rows, strict=True))
    found["close"], found["units"], found["sample"] = rest[:n_stimuli], rest[n_stimuli:][:3], rest[n_stimuli + 3 :]
    return found


def _unscale(plain: dict[str, Any], scaled: dict[str, Any], scale: float) -> dict[str, Any]:
    """What is known of a chunk from sums of it times `scale`; extremes and zeros from it as it is."""
    found = {**scaled, **{name: plain[name] for name in ("low", "high", "nonzeros", "sample")}}
    found["near"], found["absolute"] = scaled["near"] / scale, scaled["absolute"] / scale
    found["scale"] = scaled["scale"] * scale
    found["units"] = np.array([plain["units"][0], scaled["units"][1], scaled["units"][2] / scale**4])
    return found


def _settle_moments(found: dict[str, Any], width: int) -> list[Vector]:
    """Mean, and sums of second, third and fourth powers about it, from those about a number near it."""
    first, second, third, fourth = found["sum"], found["root2"] ** 2, found["power3"], found["root4"] ** 2
    shift, scale = first / width, found["scale"]
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported when a layer is finished
        power2 = second - width * shift**2
        power3 = third - 3 * shift * second + 2 * width * shift**3
        power4 = fourth - 4 * shift * third + 6 * shift**2 * second - 3 * width * shift**4
        return [found["near"] + shift / scale, power2 / scale**2, power3 / scale**3, power4 / scale**4]


def _summarize(
    found: dict[str, Any], width: int, mean: Vector, power2: Vector, power3: Vector, power4: Vector
) -> LayerSummary:
    n_dead, lifetime, variance2 = map(float, found["units"])
    return LayerSummary(
        n_features=width,
        mean=mean,
        power2=power2,
        power3=power3,
        power4=power4,
        minimum=found["low"].copy(),
        maximum=found["high"].copy(),
        n_zeros=width - found["nonzeros"],
        absolute=found["absolute"].copy(),
        n_dead=int(n_dead),
        lifetime_sum=lifetime,
        unit_variance2=variance2,
    )


def _repeat(gram: Tensor, rows: Tensor, values: Tensor, reference: Tensor) -> list[Vector]:
    """Compute in float64 what float32 may have lost of these stimuli: products in place; gives their moments."""
    some = values[rows].to(gram.device).double()
    moments = torch.stack(_sum_moments(some))
    some -= reference.to(gram.device).double()
    rows = rows.to(gram.device)
    gram[rows[:, None], rows] = some @ some.T
    return list(moments.cpu().numpy())


def _sum_moments(block: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean over units of each row of float64, and sums of squares, third and fourth powers about it."""
    mean = block.mean(dim=1)
    apart = block - mean[:, None]
    left = apart.mean(dim=1)  # by rounding of the first mean
    apart -= left[:, None]
    square = apart * apart
    return mean + left, square.sum(dim=1), (square * apart).sum(dim=1), (square * square).sum(dim=1)


def sum_double(values: Tensor) -> PartialSums:
    """The sums of a chunk in float64; `values` must be where there is float64."""
    n_stimuli, width = values.shape
    step = max(1, _DOUBLE_CELLS // n_stimuli)
    anchor = values[0].double().mean()
    sums, likeness = _sum_block(values[:, :step].double(), anchor)
    for start in range(step, width, step):
        more, also = _sum_block(values[:, start : start + step].double(), anchor)
        sums.merge(more)
        likeness.add(also)
    close = int(likeness.find_close(sums.gram).sum())
    sample = _sample(values).cpu().numpy()
    return replace(sums, in_double=True, is_hard=close > _MANY * n_stimuli, samples=(sample,))


def _sum_block(block: Tensor, anchor: Tensor) -> tuple[PartialSums, _Likeness]:
    n_stimuli, width = block.shape
    reference = block[0] + (block - block[0]).mean(dim=0)
    centred = block - reference
    about = reference - anchor
    square = centred * centred
    own = square.sum(dim=1)
    likeness = _Likeness(own, centred.sum(dim=1), centred @ about, about.sum(), about @ about, width)
    low, high = torch.aminmax(block, dim=1)
    dead = ~block.any(dim=0)
    units = _sum_up_units(block.sum(dim=0), square.sum(dim=0), reference, n_stimuli, dead, low.min() < 0)
    nonzeros, absolute = (block != 0).sum(dim=1).double(), block.abs().sum(dim=1)
    rows = torch.stack([*_sum_moments(block), low, high, nonzeros, absolute])
    numbers = torch.cat([rows.flatten(), units]).cpu().numpy()
    mean, power2, power3, power4, *rest = numbers[:-3].reshape(len(rows), n_stimuli)
    found = dict(zip(("low", "high", "nonzeros", "absolute"), rest, strict=True), units=numbers[-3:])
    return PartialSums(centred @ centred.T, _summarize(found, width, mean, power2, power3, power4)), likeness

"""Does a selector pick layers that there are, whatever is typed?"""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import LayerSelector
from layerwise.core.network.layers import Layer
from layerwise.testing.expecting import ask, expect, expect_named
from layerwise.testing.toy import ToyModel

NONSENSE = ("", "no-such-thing", "-1", "[", "a:b", "ünïcödé", "0" * 400)


def check_selector(
    selector: LayerSelector, arguments: Sequence[str] = ("",), layers: Sequence[Layer] | None = None
) -> None:
    """Check that a selector picks some of the layers it is given, each once, and refuses nonsense in one line.

    Args:
        selector: The selector.
        arguments: What may follow the colon in `--layers NAME:ARGUMENT`; each must pick at least one of `layers`.
        layers: The layers to pick from; None for those of the toy network: an input, a convolution, a pool, a block
            called `block` of three branches, logits and an output.

    Raises:
        AssertionError: If it does not; says what.
    """
    expect_named(selector, LayerSelector)
    given = tuple(ToyModel().layers if layers is None else layers)
    for argument in arguments:
        picked = _select(selector, argument, given)
        expect(bool(picked), selector, f"picks nothing for '{argument}', expected at least one of {_names(given)}")
        same = _names(_select(selector, argument, given)) == _names(picked)
        expect(same, selector, f"picks other layers when asked for '{argument}' twice")
    for argument in (*arguments, *NONSENSE):
        for some in (given, given[:1], ()):
            try:
                _select(selector, argument, some)
            except InputError:
                continue  # a refusal that says why is an answer


def _select(selector: LayerSelector, argument: str, layers: tuple[Layer, ...]) -> Sequence[Layer]:
    given = list(layers)
    what = f"for '{argument}' and {len(layers)} layers"
    picked = ask(selector, what, lambda: selector.select(argument, given))
    expect(given == list(layers), selector, f"changes the list of layers it is given {what}, expected it as it was")
    sequence = isinstance(picked, Sequence) and not isinstance(picked, str)
    expect(sequence, selector, f"gives a {type(picked).__name__} {what}, expected a sequence of layers")
    strange = [item for item in picked if item not in layers]
    expect(not strange, selector, f"picks {strange[:1]} {what}, expected only layers that it was given")
    expect(len(set(_names(picked))) == len(picked), selector, f"picks a layer twice {what}: {_names(picked)}")
    return picked


def _names(layers: Sequence[Layer]) -> list[str]:
    return [layer.name for layer in layers]

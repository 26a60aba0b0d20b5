"""Parameters of what plugins offer: what can be set, to what, and how settings become part of a key.

A comparator declares its parameters; what the user sets is checked against them once, here, so that no measure
checks its own. Settings that differ from the defaults are written as canonical JSON, and so two ways of asking
for the same thing are one question to the history.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names

Setting = float | int | str
NO_PARAMETERS = "{}"
NO_TRANSFORM = "none"
"""What plain activations are called where a transform is named; here, so that a list of runs needs no NumPy."""


@dataclass(frozen=True)
class Parameter:
    """Something about a measure that can be set.

    Attributes:
        name: What people type: `--set NAME=VALUE`.
        default: Its value where nothing is set; its type (int, float or str) is the type of every value.
        description: One line.
        minimum: The smallest value allowed, None for no bound; of a number.
        maximum: The largest one.
        choices: The words allowed, of a word.
    """

    name: str
    default: Setting
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What may be set, in words."""
        if isinstance(self.default, str):
            return f"one of {', '.join(self.choices)}" if self.choices else "a word"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{kind} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{kind} of at least {self.minimum:g}"
        return kind if self.maximum is None else f"{kind} of at most {self.maximum:g}"

    def read(self, value: Setting, owner: str) -> Setting:
        """A value of the parameter's own type, from a number or from text.

        Raises:
            InputError: If it is not allowed; names `owner`, the parameter and what is.
        """
        found = self._convert(value)
        if found is None or not self._allows(found):
            raise InputError(f"{owner}: {self.name} must be {self.allowed}, not '{value}'")
        return found

    def _convert(self, value: Setting) -> Setting | None:
        if isinstance(self.default, str):
            return str(value)
        try:
            number = float(value)
        except ValueError:
            return None
        if isinstance(self.default, int):
            return int(number) if number.is_integer() else None
        return number if math.isfinite(number) else None

    def _allows(self, value: Setting) -> bool:
        if isinstance(value, str):
            return not self.choices or value in self.choices
        too_small = self.minimum is not None and value < self.minimum
        return not too_small and not (self.maximum is not None and value > self.maximum)


def read_settings(owner: str, parameters: Sequence[Parameter], settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings checked against the parameters, each of its parameter's type.

    Raises:
        InputError: If there is no such parameter (those that there are are listed), or a value is not allowed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in settings:
        if name not in known:
            listed = ", ".join(f"{item.name} (default {item.default})" for item in parameters)
            there = f"its parameters are {listed}" if parameters else "it has none"
            near = near_names(name, list(known)) if len(known) > 12 else ""
            raise InputError(f"{owner} has no parameter '{name}'{near}; {there}")
    return {name: known[name].read(value, owner) for name, value in settings.items()}


def canonical(settings: Mapping[str, Setting]) -> str:
    """JSON that is the same for the same settings: sorted, without spaces."""
    return json.dumps(dict(settings), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

"""Engines: what streams a run, on this machine or on several."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.base.parameters import Parameter, Setting, read_settings
from layerwise.core.host.kinds.offer import Offer

if TYPE_CHECKING:
    from typing import Self

    from layerwise.core.host.jobs import LayerSink, StreamJob


class Engine(Offer):
    """Carries out the streaming of one run: on this machine, or on several. Provisional until 1.0.

    Attributes:
        parameters: What can be set: where workers are, and the like. They must not decide any number.
        is_local: Whether this process computes, so that its first batch tells how long a run takes, and its memory
            and processor seconds are the run's.
    """

    _hook = "engines"
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    is_local: ClassVar[bool] = False
    _set: Mapping[str, Setting] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The value of every parameter, set or default."""
        return {item.name: item.default for item in self.parameters} | dict(self._set)

    def configured(self, **settings: Setting) -> Self:
        """A copy with these settings, the others as they are here.

        Raises:
            InputError: If there is no such parameter (those that there are are listed) or a value is not allowed.
        """
        other = copy.copy(self)
        other._set = {**self._set, **read_settings(f"engine {self.name}", self.parameters, settings)}
        return other

    def check_ready(self) -> None:
        """Called before anything is loaded: refuse settings that cannot work, and find out whether workers are there.

        Raises:
            InputError: If it cannot stream as it is set; says what to do.
        """
        return

    @abstractmethod
    def stream(self, job: StreamJob, sink: LayerSink) -> None:
        """Compute every layer of the job, handing each to the sink as soon as it is finished."""

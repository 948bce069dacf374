"""Deadline: how long the model may take before the engine's order is answered."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

#: Seconds that a request gives the model when it does not say.
DEFAULT_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Deadline:
    """Counts from when the request arrived."""

    #: Seconds from arrival to answer.
    seconds: float = DEFAULT_SECONDS
    #: `time.monotonic()` at arrival.
    arrived: float = field(default_factory=time.monotonic)

    def remaining(self, share: float = 1.0) -> float:
        """Seconds until this share of the deadline has passed; 0 when it has."""
        return max(0.0, self.arrived + share * self.seconds - time.monotonic())

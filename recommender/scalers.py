"""Scalers: numbers of any unit brought to one scale, robust against outliers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from domain.items import Item

#: Scaled values stay within plus and minus this.
CLIP: Final = 4.0
#: A tenant with fewer values of a field is scaled like everyone.
ENOUGH_OF_ONE_TENANT: Final = 50
#: Kelly's skewness, (p90 + p10 - 2 median) / (p90 - p10), above which a number that is never negative is
#: scaled by its logarithm. A lognormal of sigma 0.5 has 0.31.
SKEWED: Final = 0.3

#: Scalers by kind, then field.
ScalerTable = Mapping[str, Mapping[str, "Scaler"]]


@dataclass(frozen=True, slots=True)
class Scaler:
    """(x - median) / interquartile range, after log(1 + x) where the field is skewed."""

    median: float
    spread: float
    log: bool

    def scale(self, value: float) -> float:
        """The scaled value, within -4 and 4."""
        if self.log:
            value = math.log1p(max(value, 0.0))
        return min(max((value - self.median) / self.spread, -CLIP), CLIP)

    @classmethod
    def fit(cls, values: Sequence[float], log: bool | None = None) -> Scaler:
        """The scaler of these values, at least one; `log` None decides by their skewness."""
        known = np.asarray(values, dtype=np.float64)
        log = _skewed(known) if log is None else log
        if log:
            known = np.log1p(np.maximum(known, 0.0))
        low, q1, median, q3, high = np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95])
        # Half of the items may share one value (a default): then the range that holds 90 % is the scale.
        spread = (q3 - q1) or (high - low) or 1.0
        return cls(float(np.float32(median)), float(np.float32(spread)), log)

    def to_document(self) -> dict[str, Any]:
        """The scaler as JSON."""
        return {"median": self.median, "spread": self.spread, "log": self.log}


def fit_scalers(
    items: Iterable[Item], numbers: Mapping[str, Sequence[str]]
) -> tuple[ScalerTable, Mapping[str, ScalerTable]]:
    """The scalers of all tenants together, and those of each tenant that has enough values.

    Whether a field is scaled by its logarithm is decided once, over all tenants.

    Args:
        items: the sample.
        numbers: number fields by kind; a field without any value gets no scaler.
    """
    together: dict[tuple[str, str], list[float]] = defaultdict(list)
    apart: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for item in items:
        for name in numbers.get(item.key.kind, ()):
            if (value := item.numbers.get(name)) is not None:
                together[item.key.kind, name].append(value)
                apart[item.key.tenant, item.key.kind, name].append(value)
    common: dict[str, dict[str, Scaler]] = defaultdict(dict)
    for (kind, name), values in sorted(together.items()):
        common[kind][name] = Scaler.fit(values)
    tenants: dict[str, dict[str, dict[str, Scaler]]] = defaultdict(lambda: defaultdict(dict))
    for (tenant, kind, name), values in sorted(apart.items()):
        if len(values) >= ENOUGH_OF_ONE_TENANT:
            tenants[tenant][kind][name] = Scaler.fit(values, common[kind][name].log)
    return dict(common), {tenant: dict(table) for tenant, table in tenants.items()}


def table_document(table: ScalerTable) -> dict[str, dict[str, dict[str, Any]]]:
    """A table of scalers as JSON."""
    return {kind: {name: scaler.to_document() for name, scaler in by.items()} for kind, by in table.items()}


def table_from_document(document: Mapping[str, Any]) -> ScalerTable:
    """The table that `table_document` wrote."""
    return {kind: {name: Scaler(**scaler) for name, scaler in by.items()} for kind, by in document.items()}


def _skewed(values: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    if values.min() < 0:
        return False
    p10, median, p90 = np.quantile(values, [0.1, 0.5, 0.9])
    return bool(p90 > p10 and (p90 + p10 - 2 * median) / (p90 - p10) > SKEWED)

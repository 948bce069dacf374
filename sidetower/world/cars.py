"""Cars: the makes, models and engines that the demo listings draw from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from domain.errors import ConfigurationError
from sidetower.world.prose import resource

_FUELS: Final = "petrol|diesel|plug-in hybrid|hybrid|electric"
_ENGINE: Final = re.compile(
    rf"(?:(?P<label>.+?) )??(?P<fuel>{_FUELS}) (?P<kw>\d+) (?P<factor>\d\.\d+)"
    r"(?: (?P<first>\d{4})-(?P<last>\d{4})?)?"
)
_ALL_WHEEL: Final = re.compile(r"4x4|quattro|xDrive|4Matic|4Motion|AWD|4WD|Allgrip|ALL4")


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine of a model."""

    #: As it stands in the title; "" where the model's name says it all.
    label: str
    #: petrol, diesel, hybrid, plug-in hybrid or electric.
    fuel: str
    #: Power in kilowatts.
    power: int
    #: Price when new, as a multiple of the model's.
    factor: float
    #: Years it was sold, both included.
    years: tuple[int, int]

    @property
    def all_wheel(self) -> bool:
        """Whether the label says that all wheels are driven."""
        return bool(_ALL_WHEEL.search(self.label))


@dataclass(frozen=True, slots=True)
class Model:
    """One model with its engines."""

    make: str
    #: The line of models, as one filters by it: ``Golf``.
    model: str
    #: As it is called in full: ``Golf Variant``.
    name: str
    #: hatchback, saloon, estate, suv, mpv, van, camper, convertible, coupe or pickup.
    body: str
    #: Class of car, finer than the body: ``mini``, ``small suv``, ``executive``, ...
    segment: str
    seats: int
    #: Price when new, in euros.
    price: float
    #: Share of its value that it keeps from one year to the next.
    keep: float
    engines: tuple[Engine, ...]
    #: How people write the make.
    spellings: tuple[str, ...]
    trims: tuple[str, ...]


@cache
def models() -> tuple[Model, ...]:
    """Every model of the table, in its order."""
    makes: dict[str, Any] = {**resource("cars"), **resource("more_cars")}
    return tuple(_model(make, table, row) for make, table in makes.items() for row in table["models"])


def _model(make: str, table: Mapping[str, Any], row: Mapping[str, Any]) -> Model:
    return Model(
        make=make,
        model=row.get("model", row["name"]),
        name=row["name"],
        body=row["body"],
        segment=row["segment"],
        seats=row["seats"],
        price=row["price"] * 1000.0,
        keep=row.get("keep", table["keep"]),
        engines=tuple(_engine(text, row["years"]) for text in row["engines"]),
        spellings=tuple(table.get("say", [make])),
        trims=tuple(table["trims"]),
    )


def _engine(text: str, years: list[int]) -> Engine:
    found = _ENGINE.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            "texts/cars.toml, engines",
            expected="label, fuel, kilowatts and price factor",
            got=repr(text),
            fix="Write it as '1.5 TSI petrol 110 1.0 2018-'.",
        )
    first = max(years[0], int(found["first"] or years[0]))
    last = min(years[1], int(found["last"] or years[1]))
    return Engine(found["label"] or "", found["fuel"], int(found["kw"]), float(found["factor"]), (first, last))

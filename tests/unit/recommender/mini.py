"""A mini catalogue of two kinds and two tenants with known likenesses, and an encoder that needs no file."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from domain.catalogue import Kind
from domain.items import Item
from domain.vectors import Array, unit

LISTING: Final = Kind(
    "listing",
    "id",
    {"description": 1.0, "title": 3.0},
    category=("make", "model", "fuel"),
    number=("price", "mileage"),
    signal=("views",),
)
ARTICLE: Final = Kind("article", "id", {"title": 3.0, "body": 1.0})
KINDS: Final = (LISTING, ARTICLE)

MODELS: Final = {"volvo": ("v60", "xc40"), "bmw": ("320i", "x1"), "fiat": ("panda", "500")}
TOPICS: Final = {
    "password": "Reset your password in the account settings, with the link in the mail that we send you.",
    "battery": "Charge the battery of an electric car overnight at home, and never leave it empty in the cold.",
    "invoice": "Download every invoice as a file from the billing page, or let us send it to your accountant.",
    "tyres": "Change to winter tyres before the first frost, and check their pressure every month.",
}


def catalogue(listings: int = 120, articles: int = 40, seed: int = 0) -> list[Item]:
    """Listings of two tenants, prices skewed and some mileages missing, and articles on four topics."""
    draw = random.Random(seed)
    items = []
    for number in range(listings):
        make = draw.choice(sorted(MODELS))
        model, fuel = draw.choice(MODELS[make]), draw.choice(("petrol", "diesel", "electric"))
        colour, past = draw.choice(("red", "blue", "white")), draw.choice(("One owner", "Serviced"))
        document = {
            "id": f"l{number}",
            "title": f"{make} {model} {fuel}",
            "description": f"A {colour} {model}. {past}.",
            "make": make,
            "model": model,
            "fuel": fuel,
            "price": round(draw.lognormvariate(9.5, 0.6)),
            "mileage": draw.choice((None, draw.randrange(200_000))),
            "views": draw.randrange(100),
        }
        items.append(LISTING.item(document, tenant="north" if number % 3 else "south", revision=1))
    for number in range(articles):
        topic = sorted(TOPICS)[number % len(TOPICS)]
        words = TOPICS[topic].split()
        draw.shuffle(words)
        document = {"id": f"a{number}", "title": f"About your {topic}, part {number}", "body": " ".join(words)}
        items.append(ARTICLE.item(document, tenant="north", revision=1))
    return items


class LetterEncoder:
    """Counts letters: unit vectors of 26 numbers, the same for the same letters in any order."""

    identity = "letters"
    dimension = 26

    def __init__(self) -> None:
        #: Every text that was asked for, in order.
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Array:
        """Unit vectors ``[n, 26]``; a text without letters gives zero."""
        self.asked += texts
        counts = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    counts[row, ord(letter) - ord("a")] += 1
        return unit(counts)


def run_python(code: str, *arguments: object) -> None:
    """Run this code in a process of its own; torch aborts where TensorFlow is loaded."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr

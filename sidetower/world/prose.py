"""Prose: texts composed from lines with alternatives and facts, different each time and always the same for a seed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

#: Lines by tag.
Lines = Mapping[str, Sequence[str]]

_ALTERNATIVES = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{([A-Za-z_0-9]+)\}")
_SPACES = re.compile(r"[ \t]{2,}")
_SPACE_BEFORE_MARK = re.compile(r" +([,.:;!?])(?=\s|$)")
#: "a" before a name that is spoken with a vowel: an Octavia, an S 350 d, an i30.
_ARTICLE = re.compile(r"\b([Aa]) (?=[AEIO](?!uro)|i\d|e-|(?:S|RS|SLK|X|XC|M|MX)[-\d ])")


def dice(*path: object) -> Random:
    """Random numbers of their own for one thing, so that adding a thing changes none of the others.

    Args:
        path: names the thing, seed first.
    """
    # The demo world is no secret; standard random numbers are the ones that stay the same across releases.
    return Random("/".join(str(part) for part in path))


@cache
def resource(name: str) -> dict[str, Any]:
    """The parsed TOML file of that name from this package's texts."""
    return tomllib.loads((files("sidetower.world") / "texts" / f"{name}.toml").read_text(encoding="utf-8"))


def said(line: str, facts: Mapping[str, str], random: Random) -> str:
    """The line with one of each ``[alternatives|given]`` and its ``{facts}`` filled in."""
    while found := _ALTERNATIVES.search(line):
        choice = random.choice(found.group(1).split("|"))
        line = line[: found.start()] + choice + line[found.end() :]
    line = _SLOT.sub(lambda slot: facts[slot.group(1)], line)
    line = _SPACES.sub(" ", line)
    line = _SPACE_BEFORE_MARK.sub(r"\1", line)
    return _ARTICLE.sub(r"\1n ", line).strip()


def pick(lines: Lines, tags: Sequence[str], random: Random, *, told: Collection[str] = ()) -> str:
    """One line of a tag that holds, "any" only now and then when a more telling one is there; "" when none fits.

    Args:
        told: lines that were used already; a tag with one of them has said its piece.
    """
    telling = [tag for tag in tags if tag != "any" and tag in lines and not any(one in told for one in lines[tag])]
    if telling and ("any" not in lines or random.random() < 0.75):
        return random.choice(lines[random.choice(telling)])
    left = [line for line in lines.get("any", ()) if line not in told]
    return random.choice(left) if left else ""

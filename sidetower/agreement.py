"""Agreement: whether the configuration still describes what a kind's generations were made from."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from domain.catalogue import Kind
from domain.errors import ConfigurationError
from sidetower.parts import Parts


def check_agreement(parts: Parts, kind: Kind) -> None:
    """Make sure that the kind's roles are those that its generations and their bundle were made with.

    A generation of a version that did not write its audience field down agrees with any.

    Raises:
        ConfigurationError: names every role that differs.
    """
    release = parts.view.current(kind.name)
    if release is None:
        return
    found = [
        difference
        for generation in parts.generations.all()
        if generation.name in release.writing
        for difference in (
            *_differences("text", dict(kind.text), dict(generation.text_weights)),
            *_differences(
                "filter", {name: type_.value for name, type_ in kind.filter.items()}, generation.filter_types
            ),
            *_audience(kind.audience, generation.audience),
        )
    ]
    schema = parts.bundle(release.default.bundle).manifest.schema.kind(kind.name)
    found += _differences("category", set(kind.category), set(schema.categories))
    found += _differences("number", set(kind.number), set(schema.numbers))
    if found:
        raise ConfigurationError(
            f"{parts.config.place}, [kinds.{kind.name}]",
            expected=f"the roles that {', '.join(release.writing)} was made with",
            got="; ".join(dict.fromkeys(found)),
            fix="Undo the change, or index into a new place: another [engine] path (embedded) or prefix (OpenSearch).",
        )


def _audience(now: str, then: str | None) -> Iterator[str]:
    """What it says now and said then: items that everyone may see must not become walled by a word, nor the reverse."""
    if then is not None and now != then:
        yield f"audience is {now or 'no field'}, was {then or 'no field'}"


def _differences(role: str, now: Collection[object], then: Collection[object]) -> Iterator[str]:
    """What the role says now and said then, if that differs; the order does not count."""
    if now != then:
        yield f"{role} is {_shown(now)}, was {_shown(then)}"


def _shown(value: Collection[object]) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {weight}" for name, weight in value.items()) + "}"
    return "[" + ", ".join(sorted(map(str, value))) + "]"

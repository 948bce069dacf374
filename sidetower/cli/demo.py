"""``sidetower demo``: see what Sidetower does, without a server and without data of your own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sidetower.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.items import Item
    from indexer.fill import FillReport
    from sidetower.demo import Demo
    from sidetower.world import DemoSearch

DEMO_FOLDER: Final = Path(".sidetower-demo")
_SHOWN: Final = 5
_WIDTH: Final = 62


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo's files go.")] = DEMO_FOLDER,
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 7,
    as_json: output.JsonFlag = False,
) -> None:
    """Build a car marketplace and a help centre, and search them for different people."""
    from sidetower.demo import Demo

    began = time.perf_counter()
    house = Demo(folder, seed)
    _build(house, quiet=as_json)
    searches = [_search(house, search) for search in house.world.searches]
    similar = [_similar(house, kind) for kind in house.world.documents]
    change = house.change(house.world.edit)
    seconds = round(time.perf_counter() - began, 1)
    if as_json:
        output.print_json({"searches": searches, "similar": similar, "change": change, "seconds": seconds})
        return
    for found in searches:
        _tell_search(found)
    for found in similar:
        _tell_similar(found)
    _tell_change(house, change)
    _tell_on(house, seconds)


def _build(house: Demo, *, quiet: bool) -> None:
    from sidetower.cli.index import staged

    counts = {kind: len(documents) for kind, documents in house.world.documents.items()}
    if not quiet:
        output.say("A car marketplace and a help centre, two tenants each, all made up:", style="bold")
        named = ", ".join(f"{count:,} {kind}s" for kind, count in counts.items())
        output.say(f"{named}, {len(house.world.shoppers)} shoppers. Nothing is downloaded and no server is needed.")
        output.say("Building the first bundle from the texts alone: no clicks, no labels, under a minute ...")
    house.write_documents()
    with output.progress(quiet=quiet) as bar:
        tasks = {kind: bar.add_task(f"indexing {kind}s", total=count, start=False) for kind, count in counts.items()}

        def advance(kind: str, report: FillReport) -> None:
            bar.start_task(tasks[kind])
            bar.update(tasks[kind], completed=report.total)

        house.build(staged(bar), advance)


def _search(house: Demo, search: DemoSearch) -> dict[str, Any]:
    """The same search twice: the engine's text order, and ours for this person."""
    before = house.by_text(search, 200)
    answer = house.ranked(search)
    ranks = {candidate.key: rank for rank, candidate in enumerate(before, start=1)}
    shopper = house.shopper(search)
    return {
        "text": search.text,
        "tenant": search.tenant,
        "who": (f"{shopper.user_id}, {shopper.taste}" if shopper else "") if search.user_id else "",
        "why": search.why,
        "text_order": [_brief(candidate.item) for candidate in before[:_SHOWN]],
        "sidetower": [_brief(hit.item) for hit in answer.hits[:_SHOWN]],
        "text_ranks": [ranks.get(hit.item.key) for hit in answer.hits[:_SHOWN]],
        "degraded": answer.degraded.value if answer.degraded else None,
    }


def _similar(house: Demo, kind: str) -> dict[str, Any]:
    tenant, document = house.world.documents[kind][40]
    item = house.kind(kind).item(document, tenant=tenant)
    answer = house.similar(kind, tenant, item.key.id, _SHOWN)
    return {"of": _brief(item), "tenant": tenant, "similar": [_brief(hit.item) for hit in answer.hits]}


def _brief(item: Item) -> str:
    """The item in a line."""
    fields = item.fields()
    title = str(fields["title"])
    if "price" not in fields:
        return f"{title} ({fields.get('section', '')})"
    facts = f"{fields['first_registration']:.0f}, {fields['fuel']}, {fields['price']:,.0f}"
    return f"{title[: _WIDTH - len(facts) - 3]} ({facts})"


def _tell_search(found: dict[str, Any]) -> None:
    output.say("")
    output.say(f'{found["tenant"]}: "{found["text"]}"', style="bold cyan")
    if found["who"]:
        output.say(f"for {found['who']}")
    output.say(found["why"], style="dim")
    rows = [
        (number, left, right, "new" if rank is None else _moved(rank - number))
        for number, (left, right, rank) in enumerate(
            zip(_filled(found["text_order"]), _filled(found["sidetower"]), _filled(found["text_ranks"]), strict=True),
            start=1,
        )
    ]
    output.print_table(["", "text search alone", "Sidetower", "moved"], rows)


def _filled(values: Sequence[Any]) -> list[Any]:
    return [*values, *[""] * (_SHOWN - len(values))]


def _moved(places: int) -> str:
    return "" if places == 0 else f"{places:+d}"


def _tell_similar(found: dict[str, Any]) -> None:
    output.say("")
    output.say(f'{found["tenant"]}: like "{found["of"]}"', style="bold cyan")
    output.print_table(["", "similar items"], list(enumerate(found["similar"], start=1)))


def _tell_change(house: Demo, moments: dict[str, float]) -> None:
    edit = house.world.edit
    output.say("")
    output.say(f'{edit.tenant}: a seller adds a "{edit.text}" to a listing', style="bold cyan")
    output.print_table(["after the change", "milliseconds"], [(name, round(ms, 1)) for name, ms in moments.items()])


def _tell_on(house: Demo, seconds: float) -> None:
    config = house.config
    output.say("")
    output.say(f"Done in {seconds} s. How to go on:", style="bold green")
    for line in (
        f'sidetower search "family car with a tow bar" --kind listing --tenant autohaus -c {config}',
        f"sidetower similar 104005 --kind listing --tenant autohaus -c {config}",
        f"sidetower serve -c {config}    # then: docs/reference/http.md",
        "sidetower init --file YOUR_DOCUMENTS.jsonl    # your own catalogue: docs/tutorial/first-index.md",
    ):
        output.say(f"  {line}")

"""The report of an evaluation: one HTML file that opens anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Final

from sidetower.report.style import STYLE
from sidetower.report.svg import Bar, bars, curve, diagonal, points

if TYPE_CHECKING:
    from recommender.evaluation.comparison import Comparison
    from recommender.evaluation.intervals import Interval
    from recommender.evaluation.item_map import ItemMap
    from recommender.evaluation.platt import Reliability
    from sidetower.evaluating import Evaluation, PeopleEvaluation

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page(found: Evaluation) -> str:
    """The whole report as HTML; it loads nothing and runs nothing.

    Args:
        found: from `sidetower.evaluating.evaluate`.
    """
    body = "\n".join(_sections(found))
    return _PAGE.format(title=escape(f"{found.bundle}: evaluation"), style=STYLE, body=body)


def _sections(found: Evaluation) -> Iterator[str]:
    yield f"<h1>{escape(found.bundle)}</h1>"
    yield f'<p class="lead">{found.items:,} items of {escape(found.kind)}; space {escape(found.space)}.</p>'
    parts = [part for part in (found.people, found.searches) if part is not None]
    yield from (f'<p class="doubt">{escape(doubt)}</p>' for part in parts for doubt in part.doubts)
    yield _section("Who ranks better", _verdicts([one for part in parts for one in part.comparisons]))
    if found.people is not None:
        yield from _compared("Everybody", found.people.comparisons, _asked(found.people))
    if found.searches is not None:
        asked = f"{found.searches.comparisons[0].cases:,} judged queries; their judged candidates are ordered."
        yield from _compared("Searches", found.searches.comparisons, asked)
        yield from _reliability(found.searches.reliability)
    yield from _curves(found.training)
    yield _section("The item space", _map(found.map), _map_note(found.map))
    yield _section("What the bundle tells of itself", _facts(found.training))


def _asked(people: PeopleEvaluation) -> str:
    asked = "a fifth of each person's items is hidden"
    if people.question.since is not None:
        moment = datetime.fromtimestamp(people.question.since, UTC).isoformat(timespec="seconds")
        asked = f"what they came to from {moment} on is asked for"
    return (
        f"{people.comparisons[0].cases:,} people; {asked}. All items are ranked. "
        f"The best {people.question.window} by vector hold {people.window_recall} of what is wanted."
    )


def _compared(title: str, comparisons: Sequence[Comparison], asked: str) -> Iterator[str]:
    everybody = comparisons[0]
    note = f"{asked} Bars: NDCG@10; whiskers hold 95 % of resamples."
    yield _section(title, _table(everybody) + _ndcg(everybody), note)
    yield _section(
        f"{title}: the bundle minus each baseline",
        bars([_bar(name, one["NDCG@10"], "gain") for name, one in _ranked(everybody.gains)], "differences in NDCG@10"),
        "NDCG@10 on the same cases. Right of the line the bundle is better; a whisker across it means: not known.",
    )
    for one in comparisons[1:]:
        yield _section(_capital(one.slice), _ndcg(one), f"{one.cases:,} cases. NDCG@10.")


def _reliability(found: Reliability | None) -> Iterator[str]:
    if found is not None:
        chart = diagonal([(one.told, one.seen) for one in found.bins], [f"{one.pairs} pairs" for one in found.bins])
        note = f"{found} Right: the probability that is told; up: the share that fits. On the line both agree."
        yield _section("What its probabilities are worth", chart, note)


def _section(title: str, body: str, note: str = "") -> str:
    told = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section>\n<h2>{escape(title)}</h2>\n{told}\n{body}\n</section>"


def _verdicts(comparisons: Sequence[Comparison]) -> str:
    def line(one: Comparison) -> str:
        style = {one.ours: "won", None: "open"}.get(one.winner, "lost")
        return f'<li class="{style}">{escape(_capital(one.verdict()))}</li>'

    return "<ul>\n" + "\n".join(map(line, comparisons)) + "\n</ul>"


def _table(one: Comparison) -> str:
    metrics = list(one.methods[one.ours])
    head = "".join(f"<th>{escape(name)}</th>" for name in ("method", *metrics))
    rows = [
        f'<tr class="{_style(one, name)}"><td>{escape(name)}</td>'
        + "".join(f"<td>{escape(str(figures[metric]))}</td>" for metric in metrics)
        + "</tr>"
        for name, figures in _ranked(one.methods)
    ]
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>"


def _ndcg(one: Comparison) -> str:
    rows = [_bar(name, figures["NDCG@10"], _style(one, name)) for name, figures in _ranked(one.methods)]
    return bars(rows, f"NDCG@10, {one.slice}")


def _ranked(methods: Mapping[str, Mapping[str, Interval]]) -> list[tuple[str, Mapping[str, Interval]]]:
    return sorted(methods.items(), key=lambda named: -named[1]["NDCG@10"].value)


def _bar(name: str, one: Interval, style: str) -> Bar:
    return Bar(name, one.value, one.low, one.high, style)


def _style(one: Comparison, name: str) -> str:
    return "ours" if name not in one.gains else "other"


def _curves(training: Mapping[str, Any]) -> Iterator[str]:
    """Whatever the manifest holds for every epoch, of people's taste and of relevance."""
    judged = training.get("relevance", {})
    for part, name, title in (
        (training, "loss", "Training loss"),
        (training, "held_out", "Held-out figure while training"),
        (judged, "loss", "Training loss of the relevance"),
        (judged, "held_out", "Held-out figure while training the relevance"),
    ):
        values = part.get(name)
        if isinstance(values, list) and values and all(isinstance(one, int | float) for one in values):
            best = values.index(max(values)) if name == "held_out" else None
            yield _section(title, curve(values, title, best), "One point for each epoch.")


def _map(found: ItemMap) -> str:
    styles = [f"c{found.named.index(value)}" if value else "none" for value in found.values]
    told = [f"{title} ({value})" if value else title for title, value in zip(found.titles, found.values, strict=True)]
    legend = [f'<li><i class="c{place}"></i>{escape(value)}</li>' for place, value in enumerate(found.named)]
    if "" in found.values:
        legend.append('<li><i class="none"></i>others</li>')
    places = [(float(x), float(y)) for x, y in found.points]
    return points(places, styles, told, "item vectors in a plane") + f'<ul class="legend">{"".join(legend)}</ul>'


def _map_note(found: ItemMap) -> str:
    by = f", coloured by {found.field}" if found.field else ""
    return f"{len(found.titles):,} items{by}: the two main axes of their vectors, {found.shown:.0%} of the variance."


def _facts(training: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{escape(str(value))}</td></tr>"
        for name, value in sorted(training.items())
    )
    return f'<div class="wide"><table class="facts">{rows}</table></div>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

"""Suggestions: items that answer a text with enough probability, or none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.items import Item
from domain.ports import SearchEngine
from rerank_service.degraded import CannotRank, Degraded, Tally
from rerank_service.known import Known
from rerank_service.ranker import Ranker
from rerank_service.request import SuggestRequest
from rerank_service.retrieval import retrieve
from rerank_service.snapshot import Snapshots


@dataclass(frozen=True, slots=True)
class Suggested:
    """What is suggested, most probable first; nothing when nothing is probable enough."""

    #: Items with the probability that each answers the text.
    items: tuple[tuple[Item, float], ...] = ()
    #: Probability below which nothing is suggested; None where it is not known.
    threshold: float | None = None
    ranked_by: str = ""
    #: Why nothing can be suggested.
    degraded: Degraded | None = None


class Suggestions:
    """Suggests; blocking, safe to call from several threads.

    Whatever fails, nothing is suggested: there is no order to fall back to that has a probability.

    Args:
        engine: where the candidates come from.
        snapshots: what a request is served from.
        ranker: scores them.
        tally: counts the answers that had to be empty.
    """

    def __init__(self, engine: SearchEngine, snapshots: Snapshots, ranker: Ranker, tally: Tally) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._ranker = ranker
        self._tally = tally

    def suggest(self, request: SuggestRequest) -> Suggested:
        """The items whose calibrated probability reaches the threshold.

        Raises:
            NotFound: there is no such kind.
            Unavailable: the engine does not answer.
        """
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        try:
            bundle, query = self._ranker.prepare(snapshot, request)
            calibration = bundle.manifest.calibration
            if calibration is None:
                raise CannotRank(Degraded.NO_CALIBRATION)
            threshold = max(request.threshold, calibration.threshold)
            if query is None:
                # Not one word of it is known: nothing can be probable.
                return Suggested((), threshold, bundle.id)
            candidates = retrieve(self._engine, snapshot, request, query)
            if not candidates:
                return Suggested((), threshold, bundle.id)
            ids, scores = [one.key.id for one in candidates], [one.score for one in candidates]
            known = Known.of(candidates, snapshot.space)
            found = self._ranker.ranked(snapshot, request, bundle, query, ids, scores, known).ranked
        except CannotRank as error:
            self._tally.add(error.reason, error.__cause__)
            return Suggested(degraded=error.reason)
        told = calibration.probability(np.array(found.parts["relevance"], np.float32)).tolist()
        likely = sorted(
            (-told[place], ids[place], place)
            for place in range(len(ids))
            if found.compared[place] and told[place] >= threshold
        )
        items = tuple((candidates[place].item, told[place]) for _, _, place in likely[: request.limit])
        return Suggested(items, threshold, bundle.id)

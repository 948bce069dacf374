"""Told changes: the host names items, and they are read anew where it keeps them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain.catalogue import Kind
from domain.errors import Busy, InvalidItem, InvalidQuery
from domain.items import Change, ItemKey
from domain.ports import ItemSource
from domain.versions import ItemOutcome, Outcome
from indexer.live import LiveWriter

log = logging.getLogger(__name__)

#: Items read and written at once.
PAGE: Final = 500
#: Ids shown in one line of the log.
SHOWN: Final = 10
#: A document and the id that it was asked by.
_Document = tuple[str, Mapping[str, Any]]


@dataclass(slots=True)
class ChangedReport:
    """What became of the items that were named."""

    #: Stored, or found stored with the same content.
    written: int = 0
    #: A newer revision is stored.
    stale: int = 0
    #: The source has no document of these ids; nothing was changed.
    missing: list[str] = field(default_factory=list)
    #: Why a document could not be read or stored.
    failed: list[str] = field(default_factory=list)


class ChangedItems:
    """Takes items as changed by their ids alone, for hosts that rather name an item than send it.

    Args:
        source: where the host keeps the items of this kind.
        kind: how its documents are read.
        live: takes the changes.
        clock: seconds since 1970; gives the revision of a kind that has none of its own.
    """

    def __init__(
        self, source: ItemSource, kind: Kind, live: LiveWriter, clock: Callable[[], float] = time.time
    ) -> None:
        self._source = source
        self._kind = kind
        self._live = live
        self._clock = clock

    def take(self, ids: Sequence[str], tenant: str = "") -> ChangedReport:
        """Read these items and write them; what is wrong with one is told in the log, and its neighbours go through.

        Only what its document marks as removed is removed: an id without a document may be one that the source does
        not show yet.

        Args:
            ids: of one kind, each of any number of times.
            tenant: whose they are; "" = told by each document.

        Raises:
            InvalidQuery: `ids` is no list of ids.
            SourceError: the source cannot be read at all.
            Unavailable: the source or the engine does not answer or asks for less; take all of them again.
            StaleRelease: the fence; take all of them again.
        """
        report = ChangedReport()
        asked = list(dict.fromkeys(str(one) for one in _checked(ids)))
        for start in range(0, len(asked), PAGE):
            self._take_page(asked[start : start + PAGE], tenant, report)
        if report.missing:
            shown = ", ".join(report.missing[:SHOWN])
            log.warning("%s has no %s, of %d asked for: nothing was changed", self._source.name, shown, len(asked))
        return report

    def _take_page(self, ids: Sequence[str], tenant: str, report: ChangedReport) -> None:
        # Taken before reading, so that of two readings the later one has the greater revision or reads the newer
        # content: whoever tells a change after making it is never overtaken by what was read before it.
        revision = None if self._kind.revision else int(self._clock() * 1_000)
        documents = self._of(tenant, self._source.fetch(ids))
        found = {one for one, _ in documents}
        report.missing += [one for one in ids if one not in found]
        items: dict[tuple[ItemKey, int], Change] = {}
        for one, document in documents:
            try:
                item = self._item(one, document, tenant, revision)
            except InvalidItem as error:
                _tell(str(error), report)
            else:
                items[item.key, item.revision] = item
        busy = [outcome for outcome in self._live.apply([*items.values()]) if _counted(outcome, report)]
        if busy:
            fix = "Wait, then name these items again."
            raise Busy(self._kind.name, expected="room for more writes", got=busy[0].reason, fix=fix)

    def _of(self, tenant: str, documents: Sequence[_Document]) -> Sequence[_Document]:
        """Without those of other tenants, where one id has documents of several."""
        field = self._kind.tenant
        if not (tenant and field):
            return documents
        own = {one for one, document in documents if str(document.get(field)) == tenant}
        return [(one, document) for one, document in documents if one not in own or str(document.get(field)) == tenant]

    def _item(self, id_: str, document: Mapping[str, Any], tenant: str, revision: int | None) -> Change:
        try:
            return self._kind.change(document, tenant=tenant, revision=revision)
        except InvalidItem as error:
            raise error.at(f"{self._source.name}, {id_}") from error


def _checked(ids: Sequence[str]) -> Sequence[str | int]:
    """The ids, which come from another program as JSON."""
    if isinstance(ids, list | tuple) and all(isinstance(one, str | int) for one in ids):
        return ids
    raise InvalidQuery("item_changed, ids", expected="a list of ids", got=repr(ids)[:120], fix='Send ["17", "18"].')


def _counted(outcome: ItemOutcome, report: ChangedReport) -> bool:
    """Whether the item has to be written again later; any other outcome is counted, and a bad one told."""
    if outcome.outcome is Outcome.WRITTEN:
        report.written += 1
    elif outcome.outcome is Outcome.STALE:
        report.stale += 1
    elif outcome.outcome is Outcome.CONFLICTING_REVISION:
        _tell(f"{outcome.key}: the same revision is stored with other content", report)
    elif not outcome.busy:
        _tell(f"{outcome.key}: {outcome.reason}", report)
    return outcome.busy


def _tell(error: str, report: ChangedReport) -> None:
    log.warning("%s", error)
    report.failed.append(error)

"""Following: changed documents are found in the host's own index, for hosts that cannot tell their changes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from domain.catalogue import Kind
from domain.errors import Busy, InvalidItem
from domain.items import Change, ItemKey, Removal
from domain.ports import Checkpoints, ItemSource, SearchEngine
from domain.versions import Outcome, StoredItem
from indexer.live import LiveWriter
from indexer.releases import ReleaseView

#: Documents of one page; the checkpoint moves after each.
PAGE: Final = 500
#: Seconds before the checkpoint that are read again: longer than a document takes from its date to being seen, and
#: than the clocks of the host's machines are apart.
OVERLAP: Final = 60.0
#: Errors kept with their text; all are counted.
ERRORS_KEPT: Final = 100

_Read = tuple[str, float, Mapping[str, Any] | Exception]


@dataclass(slots=True)
class FollowReport:
    """What one round did; `read` counts every document at or after the checkpoint less the overlap."""

    read: int = 0
    #: Items stored anew.
    written: int = 0
    #: Items removed, as the host marks them.
    removed: int = 0
    #: Stored already, the same content: nothing was written.
    unchanged: int = 0
    #: Something newer is stored.
    stale: int = 0
    #: Not readable, refused, or the same revision with other content.
    failed: int = 0
    #: Place and reason of failures that the round before did not have.
    errors: list[str] = field(default_factory=list)
    #: The checkpoint, milliseconds since 1970; minus infinity before the first document.
    reached: float = -math.inf
    #: Whether the round came to its end.
    complete: bool = False

    @property
    def changed(self) -> int:
        """Items written or removed."""
        return self.written + self.removed


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """A change as a document tells it, and where it stands."""

    place: str
    change: Change
    #: Refused: the same revision is stored with other content.
    conflicting: bool = False


class Follower:
    """Takes the documents of a source whose date has moved, round by round.

    The checkpoint is the latest date that was taken, never one in the future, and is written after its page: whatever
    is killed, the next round begins where nothing was left out. Each round begins `overlap` before it; what is stored
    with the same content is neither written nor embedded.

    The date is the revision of a kind without a revision of its own. Then a document that differs from what is stored
    under the same date, or under a later one within the overlap (two edits in one millisecond, machines whose clocks
    differ), is read anew in the source: as it stands there now it is the newest, and takes the next number.

    Args:
        source: where the host keeps the items.
        kind: how its documents are read.
        field: the date that moves with every change.
        live: takes the changes.
        engine: says what is stored.
        view: says where.
        checkpoints: keep how far it has come.
        tenant: whose items they are; "" = told by each document.
        overlap: seconds.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        source: ItemSource,
        kind: Kind,
        field: str,
        live: LiveWriter,
        engine: SearchEngine,
        view: ReleaseView,
        checkpoints: Checkpoints,
        *,
        tenant: str = "",
        overlap: float = OVERLAP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._kind = kind
        self._field = field
        self._live = live
        self._engine = engine
        self._view = view
        self._checkpoints = checkpoints
        self._tenant = tenant
        self._overlap = overlap * 1_000
        self._clock = clock
        #: Whether the revision is the date, so that it does not tell two edits of one moment apart.
        self._dated = kind.revision in ("", field)
        #: Under which the checkpoint is kept: another source or date begins anew.
        self.name = f"follow {kind.name} {field} {tenant or '*'} {source.name}"
        self._told: frozenset[str] = frozenset()

    def round(
        self, stop: Callable[[], bool] = lambda: False, on_page: Callable[[FollowReport], None] = lambda _: None
    ) -> FollowReport:
        """Take everything that has changed up to now.

        Args:
            stop: asked after each page whether to end here.
            on_page: called after each page with the report so far.

        Raises:
            SourceError: the source cannot be read at all.
            Unavailable, StaleRelease: a server is away or asks for less, or the fence; the checkpoint stands after the
                last page that was taken.
        """
        began = math.floor(self._clock() * 1_000)
        held = self._checkpoints.get(self.name)
        report = FollowReport(reached=float(held["reached"]) if held else -math.inf)
        told: set[str] = set()
        with closing(self._source.changed(self._field, report.reached - self._overlap)) as documents:
            while page := list(islice(documents, PAGE)):
                self._take(page, report, told)
                # A date in the future would hide what is dated today.
                self._reach(min(max(at for _, at, _ in page), began), report)
                on_page(report)
                if stop():
                    break
            else:
                report.complete = True
        self._told = frozenset(told)
        return report

    def _reach(self, at: float, report: FollowReport) -> None:
        if at > report.reached:
            report.reached = float(math.floor(at))
            self._checkpoints.put(self.name, {"reached": report.reached})

    def _take(self, page: Sequence[_Read], report: FollowReport, told: set[str]) -> None:
        report.read += len(page)
        read = list(self._read(page, lambda error: self._fail(error, report, told)))
        held = self._stored([one.change for one in read])
        new: list[_Told] = []
        behind: list[_Told] = []
        for one in read:
            stored = held[one.change.key]
            if all(_covers(before, one.change) for before in stored):
                report.unchanged += 1
            elif all(before and before.change.revision > one.change.revision for before in stored):
                behind.append(one)
            else:
                new.append(one)
        behind += self._apply(new, report, told)
        if self._dated and behind:
            behind, newest = self._renumbered(behind, report, told)
            if self._apply(newest, report, told):
                fix = "Nothing to do: the next round reads them again."
                got = "somebody else's in between"
                raise Busy(self._kind.name, expected="no other writes", got=got, fix=fix)
        for one in behind:
            if one.conflicting:
                self._fail(f"{one.place}: the same revision is stored with other content", report, told)
            else:
                report.stale += 1

    def _read(self, page: Sequence[_Read], fail: Callable[[str], None]) -> Iterator[_Told]:
        for place, at, document in page:
            if isinstance(document, InvalidItem):
                fail(str(document))
            elif isinstance(document, Exception):
                raise document
            else:
                revision = None if self._kind.revision else max(math.floor(at), 0)
                try:
                    yield _Told(place, self._kind.change(document, tenant=self._tenant, revision=revision))
                except InvalidItem as error:
                    fail(str(error.at(place)))

    def _apply(self, changes: Sequence[_Told], report: FollowReport, told: set[str]) -> list[_Told]:
        """Write these; those that are refused because of what is stored come back."""
        outcomes = self._live.apply([one.change for one in changes]) if changes else []
        behind = []
        for one, outcome in zip(changes, outcomes, strict=True):
            if outcome.outcome is Outcome.WRITTEN:
                report.written += not isinstance(one.change, Removal)
                report.removed += isinstance(one.change, Removal)
            elif outcome.outcome is not Outcome.FAILED:
                behind.append(replace(one, conflicting=outcome.outcome is Outcome.CONFLICTING_REVISION))
            elif outcome.busy:
                fix = "Nothing to do: the next round takes it."
                raise Busy(self._kind.name, expected="room for more writes", got=outcome.reason, fix=fix)
            else:
                self._fail(f"{one.place}: {outcome.reason}", report, told)
        return behind

    def _renumbered(
        self, behind: Sequence[_Told], report: FollowReport, told: set[str]
    ) -> tuple[list[_Told], list[_Told]]:
        """Those that stay behind, and those that are the newest all the same, now numbered above what is stored."""
        held = self._stored([one.change for one in behind])
        above = {one: _above(one.change, held[one.change.key]) for one in behind}
        near = [one for one in behind if above[one] <= self._overlap]
        now = self._contents([one.change.key for one in near])
        newest = []
        for one in near:
            contents = now.get(one.change.key, [])
            if len(contents) > 1:
                self._fail(f"{one.place}: {len(contents)} documents of this id; give each its own", report, told)
            elif contents == [one.change.content_hash]:
                revision = one.change.revision + int(above[one]) + 1
                newest.append(replace(one, change=replace(one.change, revision=revision)))
            else:  # changed or taken away since it was read: its next date tells
                report.stale += 1
        return [one for one in behind if above[one] > self._overlap], newest

    def _contents(self, keys: Sequence[ItemKey]) -> dict[ItemKey, list[str]]:
        """The hash of each document that the source has of these at this moment."""
        found: dict[ItemKey, list[str]] = {}
        for _, document in self._source.fetch(list(dict.fromkeys(key.id for key in keys))) if keys else ():
            try:
                change = self._kind.change(document, tenant=self._tenant, revision=0)
            except InvalidItem:
                continue
            found.setdefault(change.key, []).append(change.content_hash)
        return found

    def _stored(self, changes: Sequence[Change]) -> dict[ItemKey, list[StoredItem | None]]:
        """What each generation that is written holds of these."""
        keys = list(dict.fromkeys(change.key for change in changes))
        pages = [self._engine.read(name, keys) for name in self._view.for_writing(self._kind.name).writing]
        return {key: [page.get(key) for page in pages] for key in keys}

    def _fail(self, error: str, report: FollowReport, told: set[str]) -> None:
        report.failed += 1
        if error in told or len(told) == ERRORS_KEPT:
            return
        told.add(error)
        if error not in self._told:
            report.errors.append(error)


def _covers(before: StoredItem | None, change: Change) -> bool:
    """Whether nothing is to be written."""
    return (
        before is not None
        and before.change.revision >= change.revision
        and before.change.content_hash == change.content_hash
    )


def _above(change: Change, stored: Sequence[StoredItem | None]) -> float:
    """How far the stored revision stands above the change's; infinite where a removal does.

    A tombstone above the document was not made from its mark: what the host removed by itself stays removed.
    """
    held = [before.change for before in stored if before is not None]
    if any(isinstance(before, Removal) and before.revision > change.revision for before in held):
        return math.inf
    return max((before.revision for before in held), default=-1) - change.revision

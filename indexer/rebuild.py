"""Rebuild: a new generation of a kind beside the running one, promoted once it holds the same."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from domain.errors import InvalidQuery, ReleaseConflict
from domain.ports import Checkpoints, Generations, ParkedItems, ReleaseStore
from domain.releases import Generation, Pointer, Release, Stage
from domain.work import WorkKey
from indexer.releases import LEASE_SECONDS, no_release

_NUMBER: Final = re.compile(r".*-g([0-9]+)")


@dataclass(frozen=True, slots=True)
class Planned:
    """A rebuild that has begun and is not promoted yet."""

    #: Name of the new generation.
    generation: str
    #: Id of the bundle that it is filled and will be served with.
    bundle: str


class Rebuild:
    """The steps of a rebuild of one kind; each can be repeated, and killed in the middle.

    In order: `plan` -> `publish` -> the fill -> `filled` -> the comparison -> `promote`; later `retire`. From `publish`
    to `retire` every change goes to both generations, so that `roll_back` finds the old one current.

    Args:
        kind: its name.
        generations: make and drop the new one.
        releases: hold the pointer.
        parked: are freed for a generation that is dropped.
        checkpoints: keep the plan.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        kind: str,
        generations: Generations,
        releases: ReleaseStore,
        parked: ParkedItems,
        checkpoints: Checkpoints,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kind = kind
        self._generations = generations
        self._releases = releases
        self._parked = parked
        self._checkpoints = checkpoints
        self._sleep = sleep
        self._name = f"rebuild {kind}"

    def release(self) -> Release:
        """The release as it stands now.

        Raises:
            Unavailable: there is none yet.
        """
        held = self._releases.get(self._kind)
        if held is None:
            raise no_release(self._kind)
        return held.release

    def planned(self) -> Planned | None:
        """The rebuild that is under way, or None."""
        plan = self._checkpoints.get(self._name) or {}
        release = self.release()
        previous = release.previous.generation if release.previous else ""
        if plan.get("generation") in (None, release.default.generation, previous):
            return None
        return Planned(plan["generation"], plan["bundle"])

    def plan(self, bundle: str) -> Planned:
        """Begin one, under the next number; a name that was ever given is not given again.

        Raises:
            InvalidQuery: the first fill of the kind has not ended yet.
        """
        release = self.release()
        if release.state is Stage.BUILDING:
            fix = "Run `sidetower index` to its end first."
            raise InvalidQuery(
                f"kind {self._kind}", expected="a complete index", got="its first fill under way", fix=fix
            )
        plan = self._checkpoints.get(self._name) or {}
        names = [*self._of_kind(), *_served(release)]
        numbers = [int(found[1]) for name in names if (found := _NUMBER.fullmatch(name))]
        number = max([int(plan.get("number", 0)), *numbers]) + 1
        made = Planned(f"{self._kind}-g{number}", bundle)
        plan = {"number": number, "generation": made.generation, "bundle": bundle}
        self._checkpoints.put(self._name, plan)
        return made

    def publish(self, generation: Generation) -> None:
        """Make the generation and have every writer write it: from the end of this call on, all do."""
        self._generations.create(generation)

        def written(release: Release) -> Release:
            if generation.name in release.writing:
                return release
            return replace(
                release,
                writing=(*release.writing, generation.name),
                filling=(*release.filling, generation.name),
            )

        self._change(written)
        # A writer may go by the release of before for as long as its lease lasts.
        self._sleep(LEASE_SECONDS)

    def filled(self, generation: str) -> None:
        """Say that the fill has come to its end: what the generation lacks from now on is a difference."""
        self._change(lambda release: replace(release, filling=_without(release.filling, [generation])))

    def promote(self, planned: Planned) -> Release:
        """Serve the kind from the new generation; the one before stays written, and is `previous`.

        Raises:
            ReleaseConflict: somebody retired it meanwhile.
        """

        def promoted(release: Release) -> Release:
            new = Pointer(planned.generation, planned.bundle)
            if release.default == new:
                return release
            if planned.generation not in release.writing:
                expected = f"{planned.generation} among the generations that are written"
                fix = "Somebody retired it: begin the rebuild again."
                raise ReleaseConflict(
                    f"release of {self._kind}", expected=expected, got=", ".join(release.writing), fix=fix
                )
            return replace(release, default=new, previous=release.default)

        release = self._change(promoted)
        self._close()
        return release

    def serve(self, bundle: str, space: str) -> Release:
        """Serve the kind with this bundle, from the generation that it is served from.

        Args:
            bundle: its id.
            space: that its networks were trained into.

        Raises:
            ReleaseConflict: that generation is of another space.
        """

        def served(release: Release) -> Release:
            now = release.default.generation
            spaces = [one.space for one in self._generations.all() if one.name == now]
            if spaces != [space]:
                got = f"{now} of space {', '.join(spaces) or 'unknown'}"
                fix = "The kind was rebuilt meanwhile: train again."
                raise ReleaseConflict(f"bundle {bundle}", expected=f"a generation of space {space}", got=got, fix=fix)
            new = Pointer(now, bundle)
            return release if release.default == new else replace(release, default=new, previous=release.default)

        return self._change(served)

    def roll_back(self) -> Release:
        """Serve the kind from the generation before, which is current; a second roll back undoes the first.

        Raises:
            InvalidQuery: there is none any more.
        """

        def rolled_back(release: Release) -> Release:
            if release.previous is None or release.previous.generation not in release.writing:
                fix = "Rebuild with the bundle that you want back: sidetower rebuild --bundle ID."
                expected = "a generation to roll back to"
                raise InvalidQuery(f"kind {self._kind}", expected=expected, got="none", fix=fix)
            return replace(release, default=release.previous, previous=release.default)

        return self._change(rolled_back)

    def retire(self) -> list[str]:
        """Drop every generation of the kind that nobody is served from, a rebuild under way included; their names."""

        def retired(release: Release) -> Release:
            others = [name for name in release.writing if name not in _served(release)]
            keeps = release.previous is not None and release.previous.generation in _served(release)
            return replace(
                release,
                writing=_without(release.writing, others),
                filling=_without(release.filling, others),
                previous=release.previous if keeps else None,
            )

        self._change(retired)
        self._close()
        if not self._unused():
            return []
        # Writers, and requests that began before, go by the release of before.
        self._sleep(LEASE_SECONDS)
        dropped = self._unused()
        for name in dropped:
            self._generations.drop(name)
            self._free(name)
        return dropped

    def _unused(self) -> list[str]:
        """Generations of the kind that neither the release nor a plan names, in the order of their names."""
        release, planned = self.release(), self.planned()
        named = {*release.writing, *_served(release), planned.generation if planned else ""}
        return [name for name in self._of_kind() if name not in named]

    def _of_kind(self) -> list[str]:
        return [one.name for one in self._generations.all() if one.kind == self._kind]

    def _close(self) -> None:
        """Forget the plan, but not its number."""
        plan = self._checkpoints.get(self._name)
        if plan:
            self._checkpoints.put(self._name, {"number": plan["number"]})

    def _free(self, generation: str) -> None:
        after: WorkKey | None = None
        while page := self._parked.all(after=after):
            after = page[-1].work
            self._parked.free([one.work for one in page if one.work.generation == generation])

    def _change(self, change: Callable[[Release], Release]) -> Release:
        """Change the release by compare-and-set, however many others do."""
        while True:
            held = self._releases.get(self._kind)
            if held is None:
                raise no_release(self._kind)
            new = change(held.release)
            if new == held.release:
                return new
            try:
                return self._releases.put(new, held.token).release
            except ReleaseConflict:
                continue


def _served(release: Release) -> set[str]:
    """The generations that somebody is served from."""
    return {one.generation for one in (release.default, *release.tenants.values())}


def _without(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)

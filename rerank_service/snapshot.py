"""Snapshot: what one request is served from, decided once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.catalogue import Kind
from domain.errors import NotFound, SidetowerError, SpaceMismatch, Unavailable
from domain.releases import Release
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.shelf import BundleShelf, RankingBundle


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One kind for one tenant, as the release stood when the request came."""

    kind: Kind
    #: The concrete index.
    generation: str
    #: Space of that index: the only one whose vectors are read.
    space: str
    #: The bundle that the release names.
    bundle_id: str


def kind_of(name: str, kinds: Mapping[str, Kind]) -> Kind:
    """The kind of this name.

    Raises:
        NotFound: with the names there are.
    """
    kind = kinds.get(name)
    if kind is None:
        known = ", ".join(sorted(kinds))
        raise NotFound("kind", expected=f"one of: {known}", got=repr(name)[:120], fix="Name a configured kind.")
    return kind


class Snapshots:
    """Takes snapshots.

    Args:
        kinds: the kinds that are served, by name.
        release: the current release of a kind, at most a second old, or None before the first.
        generation_space: the space of a generation, or None when there is no such generation.
        shelf: where bundles are loaded.
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        release: Callable[[str], Release | None],
        generation_space: Callable[[str], str | None],
        shelf: BundleShelf,
    ) -> None:
        self._kinds = kinds
        self._release = release
        self._generation_space = generation_space
        self._shelf = shelf
        # A generation keeps its space for good, so it is asked once.
        self._spaces: dict[str, str] = {}

    def take(self, kind_name: str, tenant: str) -> Snapshot:
        """What this tenant is served from now.

        Raises:
            NotFound: there is no such kind.
            Unavailable: nothing has been built for it yet, or what the release names is gone.
        """
        kind = kind_of(kind_name, self._kinds)
        pointer = self._current(kind.name).pointer(tenant)
        return Snapshot(kind, pointer.generation, self.space(pointer.generation), pointer.bundle)

    def tenants(self, kind_name: str) -> list[str]:
        """One tenant for each pointer of the release: a nameless one for the default, then those served from elsewhere.

        Raises:
            NotFound, Unavailable: as `take`.
        """
        release = self._current(kind_of(kind_name, self._kinds).name)
        return ["", *sorted(release.tenants)]

    def model(self, snapshot: Snapshot, seconds: float) -> RankingBundle:
        """The snapshot's bundle, which reads and writes the snapshot's space.

        Raises:
            CannotRank: not loaded within `seconds`, missing, refused, or of another space.
        """
        try:
            bundle = self._shelf.get(snapshot.bundle_id, seconds)
            self._check_space(bundle, snapshot)
        except TimeoutError as error:
            raise CannotRank(Degraded.BUNDLE_LOADING) from error
        except NotFound as error:
            raise CannotRank(Degraded.BUNDLE_MISSING) from error
        except SpaceMismatch as error:
            raise CannotRank(Degraded.SPACE_MISMATCH) from error
        except SidetowerError as error:
            raise CannotRank(Degraded.BUNDLE_REFUSED) from error
        return bundle

    def _current(self, kind: str) -> Release:
        release = self._release(kind)
        if release is None:
            raise Unavailable(
                f"kind {kind}", expected="a release", got="none yet", fix="Build its first index, then ask again."
            )
        return release

    def space(self, generation: str) -> str:
        """The space of a generation.

        Raises:
            Unavailable: there is no such generation.
        """
        known = self._spaces.get(generation)
        if known is None:
            known = self._generation_space(generation)
            if known is None:
                raise Unavailable(
                    f"generation {generation}",
                    expected="the generation that the release names",
                    got="no such generation",
                    fix="Point the release at a generation that exists.",
                )
            self._spaces[generation] = known
        return known

    @staticmethod
    def _check_space(bundle: RankingBundle, snapshot: Snapshot) -> None:
        if bundle.space != snapshot.space:
            raise SpaceMismatch(
                f"bundle {bundle.id}",
                expected=f"space {snapshot.space} of generation {snapshot.generation}",
                got=f"space {bundle.space}",
                fix="Point the release at a bundle of the generation's space.",
            )

"""Parts: everything that the service is handed; beneath it nothing reads settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_bytes

from prometheus_client import CollectorRegistry

from domain.catalogue import Kind
from domain.items import Change
from domain.ports import SearchEngine
from domain.releases import Release
from domain.versions import ItemOutcome
from rerank_service.candidate_vectors import CAPACITY
from rerank_service.gateway.cluster import Cluster
from rerank_service.gateway.targets import Target
from rerank_service.shelf import RankingBundle


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What the gateway is made of."""

    #: The host's own.
    cluster: Cluster
    #: The indexes of it that are ranked, by name or pattern.
    targets: Mapping[str, Target]


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What the wiring file gives to `create_app`; all of it is called from several threads."""

    engine: SearchEngine
    #: The current release of a kind, at most a second old; None before the first.
    release: Callable[[str], Release | None]
    #: The space of a generation; None when there is no such generation.
    generation_space: Callable[[str], str | None]
    #: Loads a bundle; raises `NotFound` or `BundleRefused`.
    bundle: Callable[[str], RankingBundle]
    #: The kinds that are served, by name.
    kinds: Mapping[str, Kind]
    #: The live lane: stores changes and queues them for their vectors, one outcome each, in order.
    apply: Callable[[Sequence[Change]], list[ItemOutcome]]
    #: What must hold before traffic comes, by name; each raises a `SidetowerError` while it does not.
    checks: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    #: Items whose vectors are kept in memory.
    kept: int = CAPACITY
    #: Signs page tokens; processes that share it read each other's.
    page_secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    #: Takes the service's figures, and may hold others; `/metrics` tells them all.
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    #: OpenSearch's own search API before the host's cluster; None without.
    gateway: GatewayParts | None = None

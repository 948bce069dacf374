"""Readiness: whether traffic may come, and what is missing while it may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.catalogue import Kind
from domain.errors import SidetowerError, Unavailable
from rerank_service.degraded import CannotRank
from rerank_service.snapshot import Snapshots


@dataclass(frozen=True, slots=True)
class Report:
    """What `/readyz` tells."""

    checks: dict[str, str]
    #: By kind: generation, bundle, and ``ready`` or the reason.
    kinds: dict[str, dict[str, Any]]
    #: Everything that keeps traffic away, as sentences.
    missing: list[str]


class Readiness:
    """Runs the checks; a kind that was ready once stays so, because a model that breaks later only degrades answers.

    Args:
        snapshots: release and bundles.
        kinds: the kinds that are served.
        checks: each raises a `SidetowerError` while it does not hold.
    """

    def __init__(
        self, snapshots: Snapshots, kinds: Mapping[str, Kind], checks: Mapping[str, Callable[[], None]]
    ) -> None:
        self._snapshots = snapshots
        self._kinds = kinds
        self._checks = checks
        self._were_ready: set[str] = set()

    def report(self, seconds: float = 0.5) -> Report:
        """How things stand now; bundles begin to load if they have not, waited for at most `seconds` each."""
        checks = {name: _state(check) for name, check in self._checks.items()}
        kinds = {name: self._kind(name, seconds) for name in self._kinds}
        missing = [f"{name}: {state}" for name, state in checks.items() if state != "ok"]
        for name, found in kinds.items():
            if found["state"] == "ready":
                self._were_ready.add(name)
            elif name not in self._were_ready:
                missing.append(f"kind {name}: {found['state']}")
        return Report(checks, kinds, missing)

    def _kind(self, name: str, seconds: float) -> dict[str, Any]:
        try:
            snapshots = [self._snapshots.take(name, tenant) for tenant in self._snapshots.tenants(name)]
        except SidetowerError as error:
            return {"generation": None, "bundle": None, "state": str(error)}
        state = "ready"
        for snapshot in snapshots:
            try:
                self._snapshots.model(snapshot, seconds)
            except CannotRank as error:
                cause = f": {error.__cause__}" if isinstance(error.__cause__, SidetowerError) else ""
                state = f"{error.reason.value}{cause}"
        return {"generation": snapshots[0].generation, "bundle": snapshots[0].bundle_id, "state": state}


def not_ready(report: Report) -> Unavailable:
    """The report as an error."""
    return Unavailable(
        "readiness",
        expected="every check ok, and for each kind a release with its bundle loaded and warm",
        got="; ".join(report.missing),
        fix="Wait while bundles load; else follow the reasons given.",
    )


def _state(check: Callable[[], None]) -> str:
    try:
        check()
    except SidetowerError as error:
        return str(error)
    return "ok"

"""``sidetower bundles``: which bundles there are, what each is, and whether it is whole."""

from __future__ import annotations

import os
from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import BundleRefused
from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from recommender.manifest import Manifest
    from sidetower.parts import Parts


class Action(StrEnum):
    """What to do with the bundles."""

    LIST = "list"
    SHOW = "show"
    VERIFY = "verify"


def bundles(
    action: Annotated[Action, typer.Argument(help="List them, show what one is made of, or check every number.")],
    bundle: Annotated[str, typer.Argument(help="Id of one bundle. Default: every one that is stored.")] = "",
    config: output.ConfigPath = DEFAULT_FILE,
    as_json: output.JsonFlag = False,
) -> None:
    """Look at the stored bundles; nothing is changed.

    verify compares every file with its checksum and computes the golden numbers anew. Exit status 5: at least one
    bundle is damaged.
    """
    from sidetower.parts import Parts

    parts = Parts(load_config(config, os.environ))
    folders = [parts.bundles.path(name) for name in ([bundle] if bundle else parts.bundles.ids())]
    if not folders and not as_json:
        output.say("No bundle is stored yet: the first sidetower index of a kind builds one.")
        return
    {Action.LIST: _list, Action.SHOW: _show, Action.VERIFY: _verify}[action](parts, folders, as_json)


def _list(parts: Parts, folders: Sequence[Path], as_json: bool) -> None:
    serving = _serving(parts)
    rows = [_row(folder, serving.get(folder.name, [])) for folder in folders]
    if as_json:
        output.print_json({"bundles": rows})
        return
    columns = ["bundle", "space", "MB", "created", "from", "serves"]
    told = [[*(row[name] for name in columns[:-1]), ", ".join(row["serves"])] for row in rows]
    output.print_table(columns, told)
    for row in rows:
        if row["fault"]:
            output.warn(f"{row['bundle']}: {row['fault']}")


def _row(folder: Path, serves: Sequence[str]) -> dict[str, Any]:
    from recommender.manifest import Manifest

    row: dict[str, Any] = {"bundle": folder.name, "space": "", "MB": _megabytes(folder), "created": "", "from": ""}
    try:
        manifest = Manifest.read(folder)
    except BundleRefused as error:
        return row | {"serves": serves, "fault": str(error)}
    origin = str(manifest.metrics.get("trained_from", "")) or "texts alone"
    told = {"space": manifest.space, "created": manifest.created_at, "from": origin}
    return row | told | {"serves": serves, "fault": None}


def _serving(parts: Parts) -> Mapping[str, list[str]]:
    """What each bundle serves: kinds, and where tenants have one of their own, kind and tenant."""
    found: dict[str, list[str]] = defaultdict(list)
    for kind in parts.releases.kinds():
        held = parts.releases.get(kind)
        if held is None:
            continue
        release = held.release
        found[release.default.bundle].append(kind)
        for tenant, pointer in sorted(release.tenants.items()):
            found[pointer.bundle].append(f"{kind} of {tenant}")
    return found


def _show(parts: Parts, folders: Sequence[Path], as_json: bool) -> None:
    from recommender.manifest import Manifest

    serving = _serving(parts)
    found = [(folder, Manifest.read(folder)) for folder in folders]
    if as_json:
        documents = [
            one.to_document() | {"serves": serving.get(one.bundle, []), "bytes": _sizes(folder)}
            for folder, one in found
        ]
        output.print_json({"bundles": documents})
        return
    for folder, manifest in found:
        output.print_table(["bundle", manifest.bundle], _lines(manifest, serving.get(manifest.bundle, [])))
        output.print_table(["file", "kB"], [(name, size / 1_000) for name, size in _sizes(folder).items()])


def _lines(manifest: Manifest, serves: Sequence[str]) -> list[tuple[str, str]]:
    """The manifest as people read it."""
    from domain.vectors import DIMENSIONS

    encoder, schema = manifest.encoder, manifest.schema
    told = [
        ("serves", ", ".join(serves) or "nothing"),
        ("created", manifest.created_at),
        ("space", manifest.space),
        ("encoder", f"{encoder.name}, {encoder.precision}, at most {encoder.max_tokens} tokens"),
        ("dimensions", f"text {encoder.dimension}, items and people {DIMENSIONS}"),
    ]
    for kind in schema.kinds:
        roles = (("text", kind.texts), ("category", kind.categories), ("number", kind.numbers))
        read = "; ".join(f"{role} {', '.join(names)}" for role, names in roles if names)
        told.append((f"reads of {kind.name}", read))
    recipe = manifest.history
    told += [
        ("own scalers", ", ".join(sorted(manifest.tenant_scalers)) or "no tenant"),
        ("history", f"the last {recipe.length} events; {_joined(recipe.weights)}, else {recipe.other:g}"),
        ("signals", ", ".join(manifest.signals) or "none"),
        ("calibration", _joined(manifest.calibration.to_document()) if manifest.calibration else "none"),
    ]
    return told + [(name.replace("_", " "), _joined(value)) for name, value in sorted(manifest.metrics.items())]


def _joined(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_joined(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_joined, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _verify(_parts: Parts, folders: Sequence[Path], as_json: bool) -> None:
    from recommender.verification import bundle_faults

    found = {folder.name: bundle_faults(folder) for folder in folders}
    if as_json:
        told = {name: [output.error_document(fault) for fault in faults] for name, faults in found.items()}
        output.print_json({"sound": not any(found.values()), "faults": told})
    for name, faults in () if as_json else found.items():
        for fault in faults:
            output.print_error(fault, stderr=False)
        if not faults:
            output.say(f"{name}: every file and every golden number is right.")
    if any(found.values()):
        raise typer.Exit(BundleRefused.exit_code)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}


def _megabytes(folder: Path) -> float:
    return round(sum(_sizes(folder).values()) / 1_000_000, 1)

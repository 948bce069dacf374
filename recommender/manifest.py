"""The manifest: what a bundle is made of, and how its parts belong together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from domain.errors import BundleRefused
from recommender.calibration import Calibration
from recommender.history import HistoryRecipe
from recommender.scalers import ScalerTable, table_document, table_from_document
from recommender.schema import FeatureSchema
from recommender.text_encoder import ENCODER_FILE, TOKENIZER_FILE, EncoderSettings

FORMAT: Final = 1
MANIFEST_FILE: Final = "manifest.json"
ITEM_TOWER_FILE: Final = "item_tower.onnx"
USER_TOWER_FILE: Final = "user_tower.onnx"
SCORER_FILE: Final = "scorer.onnx"
#: Of bundles that were trained on judgments.
RELEVANCE_FILE: Final = "relevance.onnx"
GOLDEN_FILE: Final = "golden.json"
#: The files that every bundle has beside the manifest, which holds their checksums.
PART_FILES: Final = (ENCODER_FILE, TOKENIZER_FILE, ITEM_TOWER_FILE, USER_TOWER_FILE, SCORER_FILE, GOLDEN_FILE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One bundle's description; `bundle` and `space` follow from the rest."""

    encoder: EncoderSettings
    schema: FeatureSchema
    #: SHA-256 by file name, for each of `PART_FILES`.
    files: Mapping[str, str]
    #: A tenant's own scalers, by tenant; not part of the space.
    tenant_scalers: Mapping[str, ScalerTable] = field(default_factory=dict)
    history: HistoryRecipe = field(default_factory=HistoryRecipe)
    #: Signals that the scorer reads, in the order of its columns.
    signals: tuple[str, ...] = ()
    #: What its relevance means; None where nobody judged.
    calibration: Calibration | None = None
    #: The space that the user tower was made for.
    user_tower_space: str = ""
    #: The space that the scorer was made for.
    scorer_space: str = ""
    #: ISO 8601.
    created_at: str = ""
    #: Figures of the build and of its evaluation.
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def encoder_identity(self) -> str:
        """64 hexadecimal digits over the encoder's files, precision and tokenizer settings; its name is left out."""
        settings = self.encoder.to_document() | {"name": ""}
        return _digest([self.files[ENCODER_FILE], self.files[TOKENIZER_FILE], settings])

    @property
    def space(self) -> str:
        """16 hexadecimal digits over text encoder, item tower and feature schema."""
        return _digest([self.encoder_identity, self.files[ITEM_TOWER_FILE], self.schema.hash])[:16]

    @property
    def bundle(self) -> str:
        """The bundle's id: the same content has the same id, whenever it was built."""
        document = self._content()
        return f"bundle-{_digest(document)[:16]}"

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "space": self.space,
            "encoder": self.encoder.to_document(),
            "schema": self.schema.to_document(),
            "schema_hash": self.schema.hash,
            "tenant_scalers": {tenant: table_document(table) for tenant, table in self.tenant_scalers.items()},
            "history": self.history.to_document(),
            "signals": list(self.signals),
            "user_tower": {"space": self.user_tower_space},
            "scorer": {"space": self.scorer_space},
            "files": dict(self.files),
        } | ({"calibration": self.calibration.to_document()} if self.calibration else {})

    def to_document(self) -> dict[str, Any]:
        """The manifest as JSON, its own checksum included."""
        document = self._content() | {
            "bundle": self.bundle,
            "created_at": self.created_at,
            "metrics": dict(self.metrics),
        }
        return document | {"checksum": _digest(document)}

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` into the folder."""
        text = json.dumps(self.to_document(), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a bundle's folder, checked against itself.

        Raises:
            BundleRefused: it is missing or damaged, of another format, or names parts of several spaces.
        """
        place = f"bundle {folder.name}, {MANIFEST_FILE}"
        document = _read_document(folder / MANIFEST_FILE, place)
        if document.get("format") != FORMAT:
            raise BundleRefused(
                place,
                expected=f"format {FORMAT}",
                got=str(document.get("format")),
                fix="Use the version that built it.",
            )
        checksum = document.pop("checksum", "")
        if checksum != _digest(document):
            raise BundleRefused(
                place, expected=f"content of checksum {_digest(document)[:12]}", got=str(checksum)[:12], fix=COPY_AGAIN
            )
        manifest = cls(
            encoder=EncoderSettings(**document["encoder"]),
            schema=FeatureSchema.from_document(document["schema"]),
            files=document["files"],
            tenant_scalers={name: table_from_document(one) for name, one in document["tenant_scalers"].items()},
            history=HistoryRecipe.from_document(document["history"]),
            signals=tuple(document["signals"]),
            calibration=Calibration.from_document(document["calibration"]) if "calibration" in document else None,
            user_tower_space=document["user_tower"]["space"],
            scorer_space=document["scorer"]["space"],
            created_at=document["created_at"],
            metrics=document["metrics"],
        )
        manifest._check_parts(place, document)
        return manifest

    def _check_parts(self, place: str, document: Mapping[str, Any]) -> None:
        for name in PART_FILES:
            if name not in self.files:
                raise BundleRefused(place, expected=f"a checksum for {name}", got="none", fix=COPY_AGAIN)
        told = (
            ("space", self.space, document["space"]),
            ("user_tower", self.space, self.user_tower_space),
            ("scorer", self.space, self.scorer_space),
            ("bundle", self.bundle, document["bundle"]),
        )
        for part, expected, got in told:
            if expected != got:
                fix = "Its parts come from several bundles. Build it anew."
                raise BundleRefused(f"{place}, {part}", expected=f"{expected} (from the files)", got=str(got), fix=fix)


COPY_AGAIN: Final = "Copy the bundle again from where it was built, or build it anew."


def file_hash(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read_document(path: Path, place: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleRefused(place, expected="the file", got="no such file", fix=COPY_AGAIN) from None
    except (OSError, ValueError) as error:
        raise BundleRefused(place, expected="a JSON document", got=str(error)[:120], fix=COPY_AGAIN) from error
    if not isinstance(document, dict):
        raise BundleRefused(place, expected="a JSON object", got=type(document).__name__, fix=COPY_AGAIN)
    return document

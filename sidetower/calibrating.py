"""Calibrating: what the relevance of a bundle means, fitted on judged queries that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from domain.errors import ConfigurationError
from sidetower.search_evaluation import relevance_of

if TYPE_CHECKING:
    from recommender.training.relevance import JudgedQuery


def calibrated(folder: Path, judged: Sequence[JudgedQuery], precision: float, *, hold_out: bool = False) -> Path:
    """The bundle with a calibration by those queries that only told its training when to stop.

    Too few of them leave it without one. The manifest tells another id then, and the folder is renamed to it.

    Args:
        folder: of a bundle whose relevance was just trained on `judged`; written to.
        judged: every query of the training.
        precision: share of what is offered that should fit.
        hold_out: whether `judged` lacks the queries that `sidetower evaluate` reports on; the manifest tells it.
    """
    from recommender.bundle import load_bundle
    from recommender.evaluation.platt import fit_calibration
    from recommender.evaluation.splits import QUERIES_HELD_OUT, REPORTED_PERCENT, id_hash
    from recommender.training.relevance import VALIDATION_PERCENT

    bundle = load_bundle(folder)
    late = [query for query in judged if query.tells and id_hash("validation", query.text) % 100 < VALIDATION_PERCENT]
    told = [relevance_of(bundle, query) for query in late]
    fits = np.array([label > 0 for query in late for label in query.labels], bool)
    try:
        found = fit_calibration(np.concatenate([np.zeros(0), *told]), fits, precision)
    except ConfigurationError:
        found = None
    metrics = {**bundle.manifest.metrics, QUERIES_HELD_OUT: REPORTED_PERCENT if hold_out else 0}
    manifest = replace(bundle.manifest, calibration=found, metrics=metrics)
    manifest.write(folder)
    return folder.rename(folder.with_name(manifest.bundle))

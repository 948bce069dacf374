from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from domain.errors import ConfigurationError
from recommender.text_encoder import EncoderSettings, OnnxTextEncoder
from recommender.training.pretrained import bring_encoder, export_encoder
from tests.support.needs import require_module
from tests.unit.recommender.mini import run_python

pytestmark = [pytest.mark.text, pytest.mark.slow]

TEXTS = [
    "How do I reset my password?",
    "tyres",
    "A blue estate car with tow bar. " * 60,
    "Winter tyres in Zürich, 2,999.00 EUR",
    "one more",
] * 8


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, minilm: Path) -> tuple[Path, EncoderSettings]:
    folder = tmp_path_factory.mktemp("exported")
    return folder, export_encoder(str(minilm), folder)


SENTENCE_TRANSFORMERS = """
import sys
import numpy as np
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
np.save(sys.argv[2], model.encode(sys.argv[3:], show_progress_bar=False, normalize_embeddings=True))
"""


def test_vectors_are_those_of_sentence_transformers(
    exported: tuple[Path, EncoderSettings], minilm: Path, tmp_path: Path
) -> None:
    folder, settings = exported
    assert settings.max_tokens == 256
    run_python(SENTENCE_TRANSFORMERS, minilm, tmp_path / "theirs.npy", *TEXTS[:5])
    found = OnnxTextEncoder(folder, settings, "").encode(TEXTS[:5])
    np.testing.assert_allclose(found, np.load(tmp_path / "theirs.npy"), atol=1e-4)


def test_batch_equals_single(exported: tuple[Path, EncoderSettings]) -> None:
    encoder = OnnxTextEncoder(*exported, "")
    batch = encoder.encode(TEXTS)
    for row in range(5):
        np.testing.assert_allclose(encoder.encode([TEXTS[row]])[0], batch[row], atol=1e-5)


def test_a_text_without_a_known_token_is_zero(exported: tuple[Path, EncoderSettings]) -> None:
    assert not OnnxTextEncoder(*exported, "").encode(["", " \n"]).any()


def test_the_tokenizer_file_names_its_own_lengths(exported: tuple[Path, EncoderSettings]) -> None:
    document = json.loads((exported[0] / "tokenizer.json").read_text(encoding="utf-8"))
    assert document["truncation"]["max_length"] == 256
    assert document["padding"]["strategy"] == "BatchLongest"


def test_an_exported_folder_needs_no_torch_to_be_brought(
    exported: tuple[Path, EncoderSettings], tmp_path: Path
) -> None:
    assert bring_encoder(str(exported[0]), tmp_path) == exported[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.onnx", "tokenizer.json"]


def test_exporting_needs_no_tensorflow(minilm: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom recommender.training import pretrained\n"
        "sys.modules['tensorflow'] = None\n"
        "pretrained._export_here(sys.argv[1], Path(sys.argv[2]))\n"
    )
    run_python(code, minilm, tmp_path)
    assert (tmp_path / "encoder.onnx").is_file()


def with_pooling(minilm: Path, folder: Path, **modes: bool) -> str:
    shutil.copytree(minilm, folder)
    config = folder / "1_Pooling" / "config.json"
    document = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps(document | {"pooling_mode_mean_tokens": False} | modes), encoding="utf-8")
    return str(folder)


def test_cls_pooling_is_exported_too(minilm: Path, tmp_path: Path) -> None:
    model = with_pooling(minilm, tmp_path / "cls", pooling_mode_cls_token=True)
    # `export_encoder` compares with sentence-transformers itself and refuses a difference.
    assert export_encoder(model, tmp_path / "out").dimension == 384


def test_other_pooling_is_refused(minilm: Path, tmp_path: Path) -> None:
    model = with_pooling(minilm, tmp_path / "max", pooling_mode_max_tokens=True)
    with pytest.raises(ConfigurationError, match="mean or cls"):
        export_encoder(model, tmp_path / "out")


def test_other_modules_are_refused(minilm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(minilm, folder)
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    (folder / "modules.json").write_text(json.dumps(modules[:1]), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="Transformer, Pooling"):
        export_encoder(str(folder), tmp_path / "out")


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    require_module("sentence_transformers", "text")
    with pytest.raises(ConfigurationError, match="text encoder"):
        export_encoder(str(tmp_path / "nowhere"), tmp_path / "out")

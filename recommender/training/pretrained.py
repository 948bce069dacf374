"""Pretrained encoders: any sentence-transformers model as a network that runs without torch."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.errors import BundleRefused, ConfigurationError, SidetowerError
from domain.vectors import unit
from recommender.text_encoder import ENCODER_FILE, TOKENIZER_FILE, EncoderSettings, OnnxTextEncoder
from recommender.training.frameworks import require_torch

#: Beside encoder.onnx and tokenizer.json in a folder that `export_encoder` wrote.
SETTINGS_FILE: Final = "encoder.json"
OPSET: Final = 17
#: An export that takes longer, its download included, has hung.
EXPORT_SECONDS: Final = 1_800
#: How far the exported encoder may be from sentence-transformers.
TOLERANCE: Final = 1e-4
#: Cut lengths for models that name none.
MAX_TOKENS: Final = 512
#: Ways of pooling that can be exported.
POOLINGS: Final = ("mean", "cls")

_EXAMPLES: Final = (
    "battery",
    "How do I reset my password?",
    "A blue estate car with tow bar and winter tyres, one owner. " * 40,
    "Tür, façade, naïve, 価格 and 2,999.00 EUR",
)


def bring_encoder(model: str, folder: Path) -> EncoderSettings:
    """Put a pretrained encoder into the folder: exported now, or copied from where it was exported before.

    Args:
        model: name on the hub, or a folder: a sentence-transformers model's, or one that `export_encoder` wrote
            (in an environment that has torch, which this one then does not need).
        folder: gets ``encoder.onnx`` and ``tokenizer.json``.
    """
    source = Path(model)
    if (source / SETTINGS_FILE).is_file():
        for name in (ENCODER_FILE, TOKENIZER_FILE):
            shutil.copyfile(source / name, folder / name)
        document = json.loads((source / SETTINGS_FILE).read_text(encoding="utf-8"))
        return EncoderSettings(**document)
    settings = export_encoder(model, folder)
    (folder / SETTINGS_FILE).unlink()
    return settings


def export_encoder(model: str, folder: Path) -> EncoderSettings:
    """Write a sentence-transformers model as ``encoder.onnx`` with pooling and unit length inside.

    It runs in a process of its own: torch aborts where TensorFlow is loaded (both carry LLVM).

    Args:
        model: name on the hub, or the model's folder.
        folder: made if need be; gets encoder.onnx, tokenizer.json and encoder.json.

    Raises:
        ConfigurationError: the text extra is not installed, the model is not there, or has parts that cannot
            be exported.
        BundleRefused: the exported file computes something else than sentence-transformers.
    """
    require_torch()
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", __name__, model, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=EXPORT_SECONDS,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    if done.returncode:
        raise _told(model, done.stdout, done.stderr)
    return EncoderSettings(**json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8")))


def _told(model: str, output: str, complaint: str) -> Exception:
    """The error that the exporting process told, or that it told none."""
    with contextlib.suppress(ValueError, IndexError):
        code, place, expected, got, fix = json.loads(output.splitlines()[-1])
        for known in (ConfigurationError, BundleRefused):
            if code == known.code:
                return known(place, expected=expected, got=got, fix=fix)
    return ConfigurationError(
        f"text encoder {model}",
        expected="its export to end well",
        got="\n".join(complaint.strip().splitlines()[-3:]) or "no word",
        fix="Try the same with `python -m recommender.training.pretrained MODEL FOLDER`.",
    )


def _export_here(model: str, folder: Path) -> None:
    loaded = _load(model)
    transformer, pooling = _modules(model, loaded)
    folder.mkdir(parents=True, exist_ok=True)
    length = min(int(loaded.max_seq_length or MAX_TOKENS), MAX_TOKENS)
    _save_tokenizer(model, transformer, length, folder)
    _export(transformer.auto_model, pooling, folder / ENCODER_FILE)
    dimension = int(loaded.get_embedding_dimension())
    settings = EncoderSettings(_name(model), dimension, length, transformer.tokenizer.unk_token_id)
    _compare(loaded, folder, settings)
    document = json.dumps(settings.to_document(), indent=2)
    (folder / SETTINGS_FILE).write_text(document + "\n", encoding="utf-8")


def _name(model: str) -> str:
    """The model's name without the place where this machine keeps it."""
    path = Path(model)
    return path.resolve().name if path.is_dir() else model


def _load(model: str) -> Any:
    from sentence_transformers import SentenceTransformer

    try:
        # Eager attention is what the exporter traces exactly, and what later optimisers can fuse.
        return SentenceTransformer(model, device="cpu", model_kwargs={"attn_implementation": "eager"})
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"text encoder {model}",
            expected="a sentence-transformers model by hub name or folder",
            got=str(error).splitlines()[0][:160],
            fix="Check the name, or download the model and name its folder.",
        ) from error


def _modules(model: str, loaded: Any) -> tuple[Any, str]:
    """The transformer and how its tokens are pooled: ``mean`` or ``cls``."""
    names = [type(module).__name__ for module in loaded]
    pooling = str(getattr(loaded[1], "pooling_mode", "")) if len(names) > 1 else ""
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or pooling not in POOLINGS:
        raise ConfigurationError(
            f"text encoder {model}",
            expected="the modules Transformer, Pooling (mean or cls) and, if any more, Normalize",
            got=", ".join(names) + (f" with pooling {pooling}" if pooling else ""),
            fix="Use another model, or encoder = bootstrap.",
        )
    return loaded[0], pooling


def _save_tokenizer(model: str, transformer: Any, length: int, folder: Path) -> None:
    backend = getattr(transformer.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigurationError(
            f"text encoder {model}",
            expected="a model with a fast tokenizer (tokenizer.json)",
            got=type(transformer.tokenizer).__name__,
            fix="Use another model, or encoder = bootstrap.",
        )
    backend.enable_truncation(max_length=length)
    backend.enable_padding(pad_id=transformer.tokenizer.pad_token_id or 0, pad_token=transformer.tokenizer.pad_token)
    backend.save(str(folder / TOKENIZER_FILE))


def _export(transformer: Any, pooling: str, path: Path) -> None:
    import torch

    class Encoder(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            tokens = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if pooling == "cls":
                pooled = tokens[:, 0]
            else:
                mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
                pooled = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, dim=-1)

    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    both = {0: "batch", 1: "tokens"}
    with torch.no_grad(), warnings.catch_warnings():
        # The tracer warns of every shape it fixes; `_compare` shows whether one of them mattered.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Encoder().eval(),
            (ids, mask),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["text_vector"],
            dynamic_axes={"input_ids": both, "attention_mask": both, "text_vector": {0: "batch"}},
        )


def _compare(loaded: Any, folder: Path, settings: EncoderSettings, texts: Sequence[str] = _EXAMPLES) -> None:
    expected = unit(np.asarray(loaded.encode(list(texts), show_progress_bar=False), np.float32))
    found = OnnxTextEncoder(folder, settings, identity="").encode(texts)
    difference = float(np.abs(expected - found).max())
    if not difference < TOLERANCE:
        raise BundleRefused(
            f"text encoder {settings.name}",
            expected=f"the vectors of sentence-transformers to {TOLERANCE}",
            got=f"a difference of {difference:.2g}",
            fix="Report this with the versions of torch and sentence-transformers.",
        )


if __name__ == "__main__":
    try:
        _export_here(sys.argv[1], Path(sys.argv[2]))
    except SidetowerError as error:
        sys.stdout.write("\n" + json.dumps([error.code, error.place, error.expected, error.got, error.fix]) + "\n")
        sys.exit(error.exit_code)

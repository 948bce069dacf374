"""The bootstrap tokenizer: WordPiece trained on a catalogue's own texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from recommender.passages import count_words

PADDING: Final = "[PAD]"
UNKNOWN: Final = "[UNK]"
LARGEST_VOCABULARY: Final = 16_000
SMALLEST_VOCABULARY: Final = 512
LARGEST_ALPHABET: Final = 1_000
#: A vocabulary entry for each so many words of text.
WORDS_OF_AN_ENTRY: Final = 20

_NORMALIZER: Final = normalizers.BertNormalizer(lowercase=True, strip_accents=True)


def train_tokenizer(texts: Sequence[str]) -> Any:
    """A WordPiece tokenizer of these texts: lower case, accents folded, ids 0 padding and 1 unknown.

    The same texts give the same tokenizer.

    Args:
        texts: the catalogue's texts; the vocabulary has an entry for each 20 words, at most 16,000.
    """
    words = sum(count_words(text) for text in texts)
    alphabet = _alphabet(texts)
    learner = _tokenizer(None)
    trainer = trainers.WordPieceTrainer(
        vocab_size=min(max(words // WORDS_OF_AN_ENTRY, SMALLEST_VOCABULARY), LARGEST_VOCABULARY),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        # The trainer numbers letters inside words in the order of a hash map, and breaks ties by these numbers;
        # told beforehand, they are the same in every run.
        special_tokens=[PADDING, UNKNOWN, *(f"##{letter}" for letter in alphabet)],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    # Built anew from the vocabulary, because a special token would be found in the raw text too.
    return _tokenizer(learner.get_vocab())


def _tokenizer(vocabulary: dict[str, int] | None) -> Any:
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = _NORMALIZER
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _alphabet(texts: Sequence[str]) -> list[str]:
    """The most frequent characters, in order."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_NORMALIZER.normalize_str(text))
    letters = sorted((letter for letter in counts if not letter.isspace()), key=lambda one: (-counts[one], one))
    return sorted(letters[:LARGEST_ALPHABET])

"""Which language a text is in, as far as its letters tell."""

from __future__ import annotations

import importlib
import threading
from itertools import islice
from typing import Any

__all__ = ["language_of"]

_SAMPLE = 600
_SHORTEST = 12
"""Letters, below which the detector guesses."""
_SURE = 0.7

_lock = threading.Lock()
_loaded: list[Any] = []


def language_of(text: str) -> str | None:
    """Name the language of a text in ISO 639-1, by 600 characters of it; None where that is not certain.

    The first call loads the detector (about 1 s); others take less than a millisecond.
    """
    sample = text.strip()
    if len(sample) > _SAMPLE:  # the beginning alone may be a licence, or a table
        half, middle = _SAMPLE // 2, len(sample) // 2
        sample = f"{sample[:half]}\n{sample[middle : middle + half]}"
    if len(list(islice(filter(str.isalpha, sample), _SHORTEST))) < _SHORTEST:
        return None
    code: str
    code, probability = _identifier().classify(sample)
    # its three-letter codes are languages without one of two, and "no language"
    return code if len(code) == 2 and probability >= _SURE else None


def _identifier() -> Any:
    with _lock:
        if not _loaded:
            langid: Any = importlib.import_module("py3langid.langid")  # it has no types
            _loaded.append(langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True))
        return _loaded[0]

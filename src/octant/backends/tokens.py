"""How a model's tokenizer reads texts: how many tokens they have, and what is cut into windows to be read at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Encoding, Tokenizer

from octant.backends.windows import text_windows
from octant.errors import EncoderError

__all__ = ["ENDLESS", "Reading", "reader_of"]

ENDLESS = 1 << 30
"""What tokenizers without a limit call their limit is a number with thirty digits."""


class Reading:
    """Texts as a model with a limit reads them: a long one in windows, each with the prompt before it."""

    def __init__(self, name: str, tokenizer: Tokenizer, longest: int | None, prompt: str = "", frame: int = 0) -> None:
        """`longest` counts special tokens, the prompt, and `frame`, the tokens that a chat template puts around a text.

        Raises EncoderError where these leave no room for a text.
        """
        self.tokenizer = tokenizer
        self.prompt = prompt
        self._longest = None if longest is None else longest - frame
        self.said = len(tokenizer.encode(prompt).ids)
        """Tokens of each window that are not of the text: special ones and the prompt's."""
        if self._longest is not None and self._longest <= self.said:
            has = f"{self.said + frame} of the {longest} tokens that the model reads at once"
            raise EncoderError(name, f"its prompt takes {has}: no text has room; give a shorter one")
        self.room = None if self._longest is None else self._longest - self.said
        """Tokens of a text that are read at once; None = any number."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self.tokenizer.encode(text, add_special_tokens=False).offsets

    def windows(self, texts: Sequence[str]) -> list[list[tuple[str, Encoding]]]:
        """Read texts: of each its windows, in order, without and as tokens with the prompt and special ones."""
        read = self._read(texts)
        return [
            [(text, encoding)] if self._fits(encoding) else list(self._cut(text, self.room))
            for text, encoding in zip(texts, read, strict=True)
        ]

    def length(self, encoding: Encoding) -> int:
        """How many tokens of a window are the text's own; at least 1."""
        return max(1, len(encoding.ids) - self.said)

    def _cut(self, text: str, room: int | None) -> Iterator[tuple[str, Encoding]]:
        """Cut so that each window fits: where it meets the prompt, its tokens may be others than without."""
        windows = list(text_windows(text, self.spans, room))
        for window, encoding in zip(windows, self._read(windows), strict=True):
            if self._fits(encoding) or len(window) <= 1:
                yield window, encoding
            else:
                yield from self._cut(window, max(1, len(self.spans(window)) // 2))

    def _fits(self, encoding: Encoding) -> bool:
        return self._longest is None or len(encoding.ids) <= self._longest

    def _read(self, texts: Sequence[str]) -> list[Encoding]:
        return self.tokenizer.encode_batch_fast([self.prompt + text for text in texts])


def reader_of(name: str, tokenizer: Any) -> Tokenizer:
    """A copy of a tokenizer of transformers (or tokenizers) that neither cuts nor pads, for any thread to ask.

    Raises EncoderError for one that is written in Python: it does not tell where tokens lie.
    """
    backend: Any = tokenizer if isinstance(tokenizer, Tokenizer) else getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        kind = type(tokenizer).__name__
        raise EncoderError(name, f"{kind} does not tell where tokens lie; give a model with a tokenizer.json")
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy

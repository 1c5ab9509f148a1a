"""Models of sounds of transformers, with what else lies beside their weights, from a folder or a hub."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from octant.backends.checkpoints import explained, label_of, place_of
from octant.backends.torched import TorchOptions, import_of, torch, whole

__all__ = ["Checkpoint"]


class Checkpoint:
    """Where a model lies: a folder, or else its name on a hub. Code that comes with it is never run."""

    def __init__(self, model: str, options: TorchOptions) -> None:
        """Raises EncoderError for a folder that is not there, MissingExtra without transformers."""
        import_of("transformers", "transformers")
        self.model = model
        """As it was asked for: what errors name."""
        self.name = label_of(model)
        """What identities call it."""
        self._place = place_of(model)
        self._how = {"revision": options.revision, "trust_remote_code": False}

    def read(self, kind: str) -> Any:
        """Read what is no weights, such as a tokenizer, by a class of transformers. EncoderError where it cannot be."""
        with explained(self.model):
            return _transformers(kind).from_pretrained(self._place, **self._how)

    def weights(self, kind: str, *, spare: Sequence[str] = (), untaught: Sequence[str] = ()) -> Any:
        """Load a model in float32 by a class of transformers; WeightsError where weights are missing or left over.

        `spare` are beginnings of weights that a checkpoint may have on top: heads that are not asked for. `untaught`
        are ends of those that only training uses: where they are missing they are made zero, and not random.
        """
        library = torch()
        with explained(self.model):
            model, found = _transformers(kind).from_pretrained(
                self._place, dtype=library.float32, output_loading_info=True, **self._how
            )
        idle = [key for key in found["missing_keys"] if key.endswith(tuple(untaught))]
        with library.no_grad():
            for key, weight in model.named_parameters():
                if key in idle:
                    weight.zero_()
        whole(
            self.model,
            sorted(found["missing_keys"] - set(idle)),
            sorted(key for key in found["unexpected_keys"] if not key.startswith(tuple(spare))),
            sorted(map(str, found["mismatched_keys"])),
        )
        return model


def _transformers(kind: str) -> Any:
    return getattr(importlib.import_module("transformers"), kind)

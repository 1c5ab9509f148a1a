"""What every model on torch shares: where it runs, in which precision, whether its weights are whole, who it is."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from pydantic import Field

from octant.errors import EncoderError, MissingExtra, WeightsError
from octant.family import Options
from octant.vectors import Array

__all__ = ["TorchOptions", "certain", "digest_of", "import_of", "inference", "on_device", "rows_of", "torch", "whole"]


class TorchOptions(Options):
    """What every family on torch can be asked for."""

    revision: str | None = None
    """A commit, tag or branch of the model's repository."""
    device: str | None = None
    """Such as cpu, cuda or cuda:1; None takes a GPU where there is one."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Half precision pays on a GPU alone: on most CPUs it is several times slower."""
    batch: int | None = Field(default=None, ge=1)
    """Media per forward pass; None finds it out on the first work."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of torch, for the whole process; None leaves torch's own choice, which is a thread per core."""


def import_of(module: str, extra: str) -> Any:
    """Import a library that an extra brings; MissingExtra with the line that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise  # it is there, and something that it needs is not
        raise MissingExtra(module, extra) from error


def torch() -> Any:
    """Import torch, of which every family that uses it has made sure before."""
    return importlib.import_module("torch")


def on_device(model: Any, name: str, options: TorchOptions) -> Any:
    """Put a model where and in which precision it was asked for, ready to infer. Returns it.

    Raises EncoderError where there is no such device, and for one that computes nothing.
    """
    library = torch()
    if options.threads is not None:
        library.set_num_threads(options.threads)
    device = options.device or ("cuda" if library.cuda.is_available() else "cpu")
    try:
        if library.device(device).type == "meta":
            raise EncoderError(name, "has no weights on device 'meta', which computes nothing; name cpu or cuda")
        return model.to(device=device, dtype=getattr(library, options.dtype)).eval()
    except (RuntimeError, AssertionError) as error:
        raise EncoderError(name, f"cannot run on device {device!r}: {error}") from error


def inference() -> AbstractContextManager[Any]:
    """Compute without gradients, which is a third faster and keeps no memory."""
    context: AbstractContextManager[Any] = torch().inference_mode()
    return context


def rows_of(tensor: Any) -> Array:
    """A tensor as a float32 array, wherever it lies."""
    array: Array = tensor.detach().to(device="cpu", dtype=torch().float32).numpy()
    return array


def whole(name: str, missing: Sequence[str], unexpected: Sequence[str] = (), mismatched: Sequence[Any] = ()) -> None:
    """Raise WeightsError unless a checkpoint has just the weights of its model.

    Libraries fill up what is missing at random, and only log it. `unexpected` are weights of the checkpoint that the
    model does not know and that it should: leave out those of heads that are known not to be asked for.
    """
    for keys, why in ((missing, "lacks"), (mismatched, "has in another shape"), (unexpected, "has, unknown to it,")):
        if keys:
            shown = ", ".join(map(str, list(keys)[:3])) + (" …" if len(keys) > 3 else "")
            raise WeightsError(
                name,
                f"the checkpoint {why} {len(keys)} of the model's weights ({shown}); give one of this architecture",
            )


def certain(name: str, load: Callable[[], Any]) -> Any:
    """Load a model twice, each time with another seed, and return it; WeightsError where the two are not the same.

    For libraries that do not tell what a checkpoint lacks: they fill it up at random, and only log it.
    """
    library = torch()

    def seeded(seed: int) -> Any:
        with library.random.fork_rng(devices=[]):
            library.manual_seed(seed)
            return load()

    model = seeded(0)
    if digest_of(model) != digest_of(seeded(1)):
        raise WeightsError(name, "some are missing, and would be random; give a checkpoint that was trained for this")
    return model


def digest_of(model: Any, *notes: Mapping[str, Any] | Sequence[Any] | str) -> str:
    """Hash weights (parameters and buffers, whatever device they are on) and notes of the preprocessing: 16 hex digits.

    `notes` are plain data. The order of the weights counts, as the model has them: the same layers one before the
    other are another model. Their names do not: libraries rename them.
    """
    state: Mapping[str, Any] = model.state_dict()
    hashes = [
        hashlib.sha256(f"{tuple(one.shape)}".encode() + rows_of(one).tobytes()).digest()
        for one in state.values()
        if hasattr(one, "shape")
    ]
    noted = json.dumps(notes, sort_keys=True, default=str)
    return hashlib.sha256(b"".join(hashes) + noted.encode()).hexdigest()[:16]

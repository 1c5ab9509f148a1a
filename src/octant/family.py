"""Families of encoders: what the models of a library are called, and how one is loaded by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError

from octant.encoding import Encoder
from octant.errors import EncoderError, MissingExtra
from octant.media import Modality
from octant.vectors import Kind

__all__ = ["Family", "Known", "Options", "broken_families", "families", "load_encoders"]


class Options(BaseModel):
    """What may stand behind the `?` of a model's name; a family adds its own. What it does not have is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Known:
    """A model that is worth naming. Any other one of its library is loaded the same way."""

    model: str
    """What stands behind the colon."""
    modalities: tuple[Modality, ...]
    dim: int | None
    """None for sparse vectors."""
    licence: str
    """As its card says; "see its card" where that was not read."""
    kind: Kind = Kind.DENSE
    note: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """The models of one library that are loaded alike: `NAME:MODEL?option=value`.

    Octant's own and those of other packages are found alike, as entry points of the group `octant.encoders`.
    """

    name: str
    summary: str
    """One line: which models."""
    modules: tuple[str, ...]
    """What must be importable; loading imports it, listing does not."""
    install: str
    """The line that installs it, such as pip install 'octant-search[open-clip]'."""
    options: type[Options]
    load: Callable[[str, Any], Sequence[Encoder[Any]]]
    """From what stands behind the colon, and its options, to one encoder for each modality, all of one space."""
    known: tuple[Known, ...]
    roles: bool = False
    """Whether a query and a document are encoded differently (by some of its models)."""
    key: str | None = None
    """The environment variable of the key that its service wants."""

    @property
    def is_installed(self) -> bool:
        """Whether all that it needs can be imported; nothing is."""
        return all(_is_there(module) for module in self.modules)

    @property
    def is_service(self) -> bool:
        """Whether it sends media to a service, as what wants a key or an address does."""
        return self.key is not None or "url" in self.options.model_fields

    @property
    def example(self) -> str:
        """A name that it understands."""
        return f"{self.name}:{self.known[0].model}"

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        told = {name: getattr(self, name) for name in ("name", "summary", "install", "roles", "key")}
        options = {name: str(field.default) for name, field in self.options.model_fields.items()}
        return {
            **told,
            "installed": self.is_installed,
            "options": options,
            "models": [asdict(one) for one in self.known],
        }


def families() -> Mapping[str, Family]:
    """List the families by name: octant's and those that other installed packages bring; not those that are broken."""
    return _families()[0]


def broken_families() -> Mapping[str, str]:
    """Name the families of installed packages that cannot be used, and say why."""
    return _families()[1]


def load_encoders(name: str) -> list[Encoder[Any]]:
    """Load what `FAMILY:MODEL?option=value&…` names: an encoder for each modality.

    Raises EncoderError for a name that is not understood, MissingExtra with the line that installs what is missing,
    and what the family raises: WeightsError where weights would be random.
    """
    family_name, colon, rest = name.partition(":")
    known = families()
    if family_name in broken_families():
        raise EncoderError(name, f"its package is broken: {broken_families()[family_name]}; install it again")
    if not colon or family_name not in known:
        raise EncoderError(name, f"write FAMILY:MODEL with one of the families {', '.join(known)}")
    family = known[family_name]
    model, _, asked = rest.partition("?")
    if not model:
        raise EncoderError(name, f"name a model, such as {family.name}:{family.known[0].model}")
    try:
        pairs = parse_qsl(asked, keep_blank_values=True, strict_parsing=bool(asked))
    except ValueError:
        raise EncoderError(name, f"{asked!r} is not option=value&option=value") from None
    if twice := sorted({key for key, _ in pairs if [one for one, _ in pairs].count(key) > 1}):
        raise EncoderError(name, f"option {twice[0]!r} is given twice")
    try:
        options = family.options.model_validate(dict(pairs))
    except ValidationError as error:
        raise EncoderError(name, _wrong(error, family)) from None
    if not family.is_installed:
        missing = next(module for module in family.modules if not _is_there(module))
        raise MissingExtra(missing, install=family.install)
    return list(family.load(model, options))


@cache
def _families() -> tuple[Mapping[str, Family], Mapping[str, str]]:
    found: dict[str, Family] = {}
    broken: dict[str, str] = {}
    # octant's own last: no other package takes the place of one
    for one in sorted(
        entry_points(group="octant.encoders"), key=lambda one: (one.value.startswith("octant."), one.name)
    ):
        try:
            family: Family = one.load()
        except Exception as error:  # whatever a package raises, it must not keep the others from being used
            broken[one.name] = f"{one.value} raises {type(error).__name__}: {error}"
        else:
            found[family.name] = family
    return {name: found[name] for name in sorted(found)}, broken


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _wrong(error: ValidationError, family: Family) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    option = ".".join(map(str, first["loc"])) or "its options"
    if first["type"] == "extra_forbidden":
        has = ", ".join(family.options.model_fields) or "none"
        return f"no option {option!r}; {family.name} has {has}"
    return f"option {option!r}: {first['msg']}"

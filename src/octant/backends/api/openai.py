"""Texts by OpenAI, and by any server that speaks OpenAI's format: vLLM, TEI, Ollama, infinity (extra `openai`).

Limits of a request: 2,048 inputs, 8,192 tokens each, 300,000 together (API reference of /v1/embeddings, as in
docs.rs/crate/openai-client-base: CreateEmbeddingRequestInput). OpenAI refuses longer texts; it cuts none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from octant.backends.api.encoders import Answer, Offer, Prompts, Room, ServedEncoder, by_index, offer_of, texts
from octant.backends.api.service import OwnServerOptions, Service, Waits, address_of, key_of
from octant.backends.torched import import_of
from octant.encoding import Role
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Modality, Text

__all__ = ["COMPATIBLE", "OPENAI", "CompatibleOptions", "embeddings_of", "load", "load_compatible"]

_INSTALL = "pip install 'octant-search[openai]'"
_VARIABLE = "OPENAI_API_KEY"
_URL = "https://api.openai.com/v1"
_ROOM = Room(items=2048, tokens=300_000)
_SERVER_ROOM = Room(items=32)
"""TEI takes 32 texts at once unless it is told otherwise (its option max_client_batch_size)."""
_OFFERS = {
    "text-embedding-3-small": Offer(1536, 8191),
    "text-embedding-3-large": Offer(3072, 8191),
    "text-embedding-ada-002": Offer(1536, 8191, shortens=False),
}


class CompatibleOptions(OwnServerOptions):
    """What a server of OpenAI's format can be asked with. `url` and `dim` are needed."""

    shorten: bool = False
    """Ask the server for vectors of `dim` numbers (its `dimensions`), of models that can be shortened."""
    query_prompt: str = ""
    """What is said before a query, such as "query: " for E5. Servers of this format know no roles."""
    document_prompt: str = ""
    """What is said before a document."""


def load(
    model: str, options: OwnServerOptions, *, key: SecretStr | None = None, waits: Waits | None = None
) -> list[ServedEncoder[Text]]:
    """Make OpenAI's encoder of texts; nothing is sent. OPENAI_API_KEY goes to OpenAI alone, and no key to another `url`
    unless `key_env` names one.

    Raises MissingExtra without openai, ServiceError without a key, EncoderError for a dimension that the model lacks.
    """
    name = f"openai:{model}"
    offer = offer_of(name, model, options, _OFFERS, Offer(0, 8191))
    variable = options.key_env or (_VARIABLE if options.url is None else None)
    found = key_of("OpenAI", key, variable, required=variable is not None)
    url = address_of(name, options.url or _URL, key=found, insecure=options.insecure)
    service = Service("OpenAI", options, key=found, variable=variable, url=url, waits=waits)
    create = embeddings_of(service)

    def ask(contents: list[str], role: Role) -> Answer:  # noqa: ARG001 - OpenAI's models know no roles
        extra = {} if offer.asked is None else {"dimensions": offer.asked}
        return create(model=model, input=contents, **extra)

    return [texts(service, name, offer.dim, offer.tokens, _ROOM, ask)]


def load_compatible(
    model: str, options: CompatibleOptions, *, key: SecretStr | None = None, waits: Waits | None = None
) -> list[ServedEncoder[Text]]:
    """Make an encoder of texts that a server of OpenAI's format serves; nothing is sent.

    Servers cut long texts without a word (Ollama, infinity, TEI with --auto-truncate), so texts are read in windows of
    512 tokens unless `tokens` says what the model takes. Raises MissingExtra without openai, EncoderError without the
    address or the dimension, ServiceError where `key_env` holds no key.
    """
    name = f"openai_compatible:{model}"
    if options.url is None or options.dim is None:
        raise EncoderError(name, "say where, and how long its vectors are: ?url=http://localhost:8000/v1&dim=768")
    found = key_of(name, key, options.key_env, required=options.key_env is not None)
    url = address_of(name, options.url, key=found, insecure=options.insecure)
    service = Service(name, options, key=found, variable=options.key_env, url=url, waits=waits)
    create = embeddings_of(service)

    def ask(contents: list[str], role: Role) -> Answer:  # noqa: ARG001 - roles are prompts here
        extra = {"dimensions": options.dim} if options.shorten else {}
        return create(model=model, input=contents, **extra)

    prompts = Prompts(options.query_prompt, options.document_prompt)
    notes = ["shortened"] if options.shorten else []
    return [texts(service, name, options.dim, options.tokens or 512, _SERVER_ROOM, ask, prompts=prompts, notes=notes)]


def embeddings_of(service: Service) -> Callable[..., Answer]:
    """What asks a service of OpenAI's format, through the official client: no redirect, and no second try of its own.

    What that client would take from the environment by itself (keys, organization, project) goes to OpenAI alone.
    Raises MissingExtra without openai.
    """
    openai: Any = import_of("openai", "openai")
    import_of("tenacity", "openai")
    options = service.options
    client: Any = openai.OpenAI(
        api_key=service.key.get_secret_value() if service.key is not None else "none",
        base_url=service.url,
        max_retries=0,
        timeout=options.timeout,
        http_client=openai.DefaultHttpxClient(follow_redirects=False, timeout=options.timeout),
    )
    if service.url != _URL:
        client.organization = client.project = None
    headers = {"Authorization": openai.Omit()} if service.key is None else None

    def ask(**said: Any) -> Answer:
        response: Any = client.embeddings.create(**said, encoding_format="float", extra_headers=headers)
        rows = by_index(service.name, [(entry.index, entry.embedding) for entry in response.data])
        counted = getattr(response, "usage", None)
        return Answer(rows, int(getattr(counted, "total_tokens", None) or getattr(counted, "prompt_tokens", None) or 0))

    return ask


OPENAI = Family(
    name="openai",
    summary="texts by OpenAI's text-embedding models",
    modules=("openai", "tenacity"),
    install=_INSTALL,
    options=OwnServerOptions,
    load=load,
    known=tuple(Known(one, offer.modalities, offer.dim, "a service; see its terms") for one, offer in _OFFERS.items()),
    key=_VARIABLE,
)

COMPATIBLE = Family(
    name="openai_compatible",
    summary="texts by any server of OpenAI's format: vLLM, TEI, Ollama, infinity",
    modules=("openai", "tenacity"),
    install=_INSTALL,
    options=CompatibleOptions,
    load=load_compatible,
    known=(
        Known(
            "BAAI/bge-small-en-v1.5",
            (Modality.TEXT,),
            384,
            "see its card",
            note="with ?url=http://localhost:8000/v1&dim=384",
        ),
    ),
    roles=True,
)

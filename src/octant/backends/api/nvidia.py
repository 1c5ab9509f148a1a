"""Texts by NVIDIA NIM, hosted or on a machine of one's own (extra `openai`: it speaks OpenAI's format).

Beside OpenAI's fields it wants `input_type`, query or passage; `truncate` NONE makes it refuse what is too long; and
`modality` text keeps models that see images from taking a text with a data URL in it for one
(docs.nvidia.com/nim/nemo-retriever/text-embedding/2.0.0/reference.html).
"""

from __future__ import annotations

from pydantic import SecretStr

from octant.backends.api.encoders import Answer, Offer, Room, ServedEncoder, offer_of, texts
from octant.backends.api.openai import embeddings_of
from octant.backends.api.service import OwnServerOptions, Service, Waits, address_of, key_of
from octant.encoding import Role
from octant.family import Family, Known
from octant.media import Text

__all__ = ["FAMILY", "load"]

_VARIABLE = "NVIDIA_API_KEY"
_URL = "https://integrate.api.nvidia.com/v1"
_ROOM = Room(items=50)
"""What NVIDIA's own LangChain encoder sends at once."""
_OFFERS = {
    "nvidia/nv-embedqa-e5-v5": Offer(1024, 512, shortens=False),
    "nvidia/llama-3.2-nv-embedqa-1b-v2": Offer(2048, 8192),
    "nvidia/llama-nemotron-embed-1b-v2": Offer(2048, 8192),
}
_TYPES = {Role.QUERY: "query", Role.DOCUMENT: "passage"}


def load(
    model: str, options: OwnServerOptions, *, key: SecretStr | None = None, waits: Waits | None = None
) -> list[ServedEncoder[Text]]:
    """Make a NIM's encoder of texts; nothing is sent. NVIDIA_API_KEY goes to NVIDIA alone, and no key to another `url`
    unless `key_env` names one.

    Raises MissingExtra without openai, ServiceError without a key, EncoderError for a dimension that the model lacks.
    """
    name = f"nvidia:{model}"
    offer = offer_of(name, model, options, _OFFERS, Offer(0, 512))
    variable = options.key_env or (_VARIABLE if options.url is None else None)
    found = key_of("NVIDIA", key, variable, required=variable is not None)
    url = address_of(name, options.url or _URL, key=found, insecure=options.insecure)
    service = Service("NVIDIA", options, key=found, variable=variable, url=url, waits=waits)
    create = embeddings_of(service)

    def ask(contents: list[str], role: Role) -> Answer:
        shorter = {} if offer.asked is None else {"dimensions": offer.asked}
        said = {"input_type": _TYPES[role], "truncate": "NONE", "modality": "text"}
        return create(model=model, input=contents, extra_body=said, **shorter)

    return [texts(service, name, offer.dim, offer.tokens, _ROOM, ask, notes=["input_type"])]


FAMILY = Family(
    name="nvidia",
    summary="texts by NVIDIA NIM, hosted or your own",
    modules=("openai", "tenacity"),
    install="pip install 'octant-search[openai]'",
    options=OwnServerOptions,
    load=load,
    known=tuple(Known(one, offer.modalities, offer.dim, "a service; see its terms") for one, offer in _OFFERS.items()),
    roles=True,
    key=_VARIABLE,
)

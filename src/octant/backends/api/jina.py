"""Texts and images by Jina's API, over httpx: there is no official client (extra `jina`).

Inputs are {"text": …} and {"image": base64}, so that a text which looks like an address is not fetched; v3 reads plain
texts. `truncate` false makes it refuse what is too long. `task` is retrieval.query or retrieval.passage; of clip-v2,
whose card has the first alone, only queries have one (qdrant.tech/documentation/embeddings/jina-embeddings,
docs.trychroma.com/integrations/embedding-models/jina-ai, and
jina.ai/news/jina-clip-v2-multilingual-multimodal-embeddings-for-text-and-images).
"""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from octant.backends.api.encoders import (
    PIXELS,
    Answer,
    Offer,
    Room,
    ServedEncoder,
    by_index,
    images,
    offer_of,
    texts,
)
from octant.backends.api.service import OwnServerOptions, Service, Waits, address_of, key_of
from octant.backends.torched import import_of
from octant.encoding import Role
from octant.family import Family, Known
from octant.media import Modality

__all__ = ["FAMILY", "load"]

_VARIABLE = "JINA_API_KEY"
_URL = "https://api.jina.ai/v1"
_BOTH = (Modality.TEXT, Modality.IMAGE)
_CLIP = "jina-clip-v2"
_OFFERS = {
    "jina-embeddings-v4": Offer(2048, 32_768, _BOTH),
    _CLIP: Offer(1024, 8192, _BOTH),
    "jina-embeddings-v3": Offer(1024, 8192),
}
_TEXTS = Room(items=128, tokens=200_000)
_IMAGES = Room(items=16, bytes=8_000_000)
_JPEG = 4_000_000
_CLIP_SIDE = 512
"""What clip-v2 looks at."""
_TASKS = {Role.QUERY: "retrieval.query", Role.DOCUMENT: "retrieval.passage"}


def load(
    model: str, options: OwnServerOptions, *, key: SecretStr | None = None, waits: Waits | None = None
) -> list[ServedEncoder[Any]]:
    """Make Jina's encoders; nothing is sent. Models that octant does not know are taken to read texts alone.
    JINA_API_KEY goes to Jina alone: another `url` wants the variable of its key (`key_env`).

    Raises MissingExtra without httpx, ServiceError without a key, EncoderError for a dimension that the model lacks.
    """
    name = f"jina:{model}"
    offer = offer_of(name, model, options, _OFFERS, Offer(0, 8192))
    variable = options.key_env or (_VARIABLE if options.url is None else None)
    found = key_of("Jina", key, variable)
    url = address_of(name, options.url or _URL, key=found, insecure=options.insecure)
    service = Service("Jina", options, key=found, variable=variable, url=url, waits=waits)
    client = _client(service)
    sees = Modality.IMAGE in offer.modalities

    def ask(inputs: list[Any], task: str | None) -> Answer:
        body: dict[str, Any] = {"model": model, "input": inputs, "embedding_type": "float", "normalized": True}
        body |= {"truncate": False}
        if task is not None:
            body["task"] = task
        if offer.asked is not None:
            body["dimensions"] = offer.asked
        return _answer(service, client.post(f"{service.url}/embeddings", json=body))

    def task_of(role: Role) -> str | None:
        return None if model == _CLIP and role is Role.DOCUMENT else _TASKS[role]

    def ask_texts(contents: list[str], role: Role) -> Answer:
        return ask([{"text": one} for one in contents] if sees else contents, task_of(role))

    def ask_images(contents: list[str], role: Role) -> Answer:
        return ask([{"image": one} for one in contents], None if model == _CLIP else task_of(role))

    made: list[ServedEncoder[Any]] = [
        texts(service, name, offer.dim, offer.tokens, _TEXTS, ask_texts, notes=["v1", "task"])
    ]
    if sees:
        side = _CLIP_SIDE if model == _CLIP else PIXELS
        made.append(
            images(service, name, offer.dim, _IMAGES, ask_images, most_bytes=_JPEG, side=side, notes=["v1", "task"])
        )
    return made


def _client(service: Service) -> Any:
    httpx: Any = import_of("httpx", "jina")
    import_of("tenacity", "jina")
    assert service.key is not None  # `load` requires one
    return httpx.Client(
        headers={"Authorization": f"Bearer {service.key.get_secret_value()}", "Accept": "application/json"},
        timeout=service.options.timeout,
        follow_redirects=False,
    )


def _answer(service: Service, response: Any) -> Answer:
    response.raise_for_status()
    answered: Any = response.json()
    rows = by_index(service.name, [(entry["index"], entry["embedding"]) for entry in answered["data"]])
    counted: dict[str, Any] = answered.get("usage") or {}
    return Answer(rows, int(counted.get("total_tokens") or 0))


FAMILY = Family(
    name="jina",
    summary="texts and images by Jina's API",
    modules=("httpx", "tenacity"),
    install="pip install 'octant-search[jina]'",
    options=OwnServerOptions,
    load=load,
    known=tuple(Known(one, offer.modalities, offer.dim, "a service; see its terms") for one, offer in _OFFERS.items()),
    roles=True,
    key=_VARIABLE,
)

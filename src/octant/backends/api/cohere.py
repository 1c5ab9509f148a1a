"""Texts and images by Cohere's embed API v2, through its own client (extra `cohere`).

96 texts a request; `truncate` NONE makes it refuse what is too long. Images are data URIs: of embed-v3 one a request
and 5 MB, of embed-v4 20 MB together; v4 scales those of more than 2,458,624 pixels down
(docs.cohere.com/embed-reference, the docstring of cohere.V2Client.embed, and
docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v4.html).
"""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from octant.backends.api.encoders import Answer, Offer, Room, ServedEncoder, images, offer_of, texts
from octant.backends.api.service import OwnServerOptions, Service, Waits, address_of, key_of
from octant.backends.torched import import_of
from octant.encoding import Role
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Modality

__all__ = ["FAMILY", "load"]

_VARIABLE = "CO_API_KEY"
_URL = "https://api.cohere.com"
_BOTH = (Modality.TEXT, Modality.IMAGE)
_V4 = "embed-v4.0"
_OFFERS = {
    _V4: Offer(1536, 128_000, _BOTH),
    "embed-english-v3.0": Offer(1024, 512, _BOTH, shortens=False),
    "embed-multilingual-v3.0": Offer(1024, 512, _BOTH, shortens=False),
    "embed-english-light-v3.0": Offer(384, 512, _BOTH, shortens=False),
    "embed-multilingual-light-v3.0": Offer(384, 512, _BOTH, shortens=False),
}
_V4_DIMS = (256, 512, 1024, 1536)
_TEXTS = Room(items=96, tokens=128_000)
_IMAGES = {True: Room(items=16), False: Room(items=1)}
"""By whether it is v4."""
_JPEG = 4_900_000
_TYPES = {Role.QUERY: "search_query", Role.DOCUMENT: "search_document"}


def load(
    model: str, options: OwnServerOptions, *, key: SecretStr | None = None, waits: Waits | None = None
) -> list[ServedEncoder[Any]]:
    """Make Cohere's encoders of texts and images; nothing is sent. Unknown models are taken to read texts alone.
    CO_API_KEY goes to Cohere alone: another `url` wants the variable of its key (`key_env`).

    Raises MissingExtra without cohere, ServiceError without a key, EncoderError for a dimension that the model lacks.
    """
    name = f"cohere:{model}"
    offer = offer_of(name, model, options, _OFFERS, Offer(0, 512))
    if model == _V4 and offer.dim not in _V4_DIMS:
        raise EncoderError(name, f"it has {', '.join(map(str, _V4_DIMS))} dimensions, and no other")
    variable = options.key_env or (_VARIABLE if options.url is None else None)
    found = key_of("Cohere", key, variable)
    url = address_of(name, options.url or _URL, key=found, insecure=options.insecure)
    service = Service("Cohere", options, key=found, variable=variable, url=url, waits=waits)
    client = _client(service)

    def ask(input_type: str, **inputs: list[str]) -> Answer:
        shorter = {} if offer.asked is None else {"output_dimension": offer.asked}
        return _answer(
            client.embed(
                model=model,
                input_type=input_type,
                embedding_types=["float"],
                truncate="NONE",
                request_options={"max_retries": 0},
                **inputs,
                **shorter,
            )
        )

    def ask_texts(contents: list[str], role: Role) -> Answer:
        return ask(_TYPES[role], texts=contents)

    def ask_images(contents: list[str], role: Role) -> Answer:  # noqa: ARG001 - an image is an image in both
        return ask("image", images=[f"data:image/jpeg;base64,{one}" for one in contents])

    notes = ["v2", "input_type"]
    made: list[ServedEncoder[Any]] = [texts(service, name, offer.dim, offer.tokens, _TEXTS, ask_texts, notes=notes)]
    if Modality.IMAGE in offer.modalities:
        room = _IMAGES[model == _V4]
        made.append(images(service, name, offer.dim, room, ask_images, most_bytes=_JPEG, notes=notes))
    return made


def _client(service: Service) -> Any:
    """The official client; it follows no redirect and tries nothing again."""
    cohere: Any = import_of("cohere", "cohere")
    httpx: Any = import_of("httpx", "cohere")
    import_of("tenacity", "cohere")
    assert service.key is not None  # `load` requires one
    return cohere.ClientV2(
        api_key=service.key.get_secret_value(),
        base_url=service.url,
        timeout=service.options.timeout,
        httpx_client=httpx.Client(timeout=service.options.timeout, follow_redirects=False),
        log_warning_experimental_features=False,
    )


def _answer(response: Any) -> Answer:
    billed = getattr(getattr(response, "meta", None), "billed_units", None)
    tokens = sum(int(getattr(billed, kind, None) or 0) for kind in ("input_tokens", "image_tokens"))
    return Answer(list(response.embeddings.float_ or []), tokens)


FAMILY = Family(
    name="cohere",
    summary="texts and images by Cohere's embed models",
    modules=("cohere", "tenacity"),
    install="pip install 'octant-search[cohere]'",
    options=OwnServerOptions,
    load=load,
    known=tuple(Known(one, offer.modalities, offer.dim, "a service; see its terms") for one, offer in _OFFERS.items()),
    roles=True,
    key=_VARIABLE,
)

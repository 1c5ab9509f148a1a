"""Texts, images and sounds by Google's Gemini API, through google-genai (extra `gemini`).

gemini-embedding-001 reads texts, 2,048 tokens, and is told the task by `taskType`. gemini-embedding-2 reads texts
(8,192 tokens), PNG and JPEG, and sounds of 80 seconds, and is told the task by what stands before a text
(docs.cloud.google.com/vertex-ai/generative-ai/docs/models/gemini/embedding-2; docs.znapai.com/gemini-embedding; for
the seconds, smallest.ai/blog/google-s-multimodal-embedding-model-text-image-video-audio-pdf-in-one-vector-space).

Neither can the Gemini API be asked not to cut longer texts, nor does it say that it did: `auto_truncate` and
`truncated` of google-genai are for Vertex AI alone. So texts are read in windows, by a guess of their tokens that is
rather too high.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from octant.backends.api.encoders import Answer, Offer, Prompts, Room, ServedEncoder, images, offer_of, sounds, texts
from octant.backends.api.service import OwnServerOptions, Service, Waits, address_of, key_of
from octant.backends.torched import import_of
from octant.encoding import Role
from octant.family import Family, Known
from octant.media import Modality

__all__ = ["FAMILY", "load"]

_VARIABLE = "GEMINI_API_KEY"
_URL = "https://generativelanguage.googleapis.com"
_VERSION = "v1beta"
_ROOM = Room(items=100)
"""batchEmbedContents takes 100 at once, and 20 MB with what stands around."""
_ALL = (Modality.TEXT, Modality.IMAGE, Modality.AUDIO)
_OFFERS = {
    "gemini-embedding-001": Offer(3072, 2048),
    "gemini-embedding-2": Offer(3072, 8192, _ALL),
    "gemini-embedding-2-preview": Offer(3072, 8192, _ALL),
}
_SECONDS = 80.0
_JPEG = 7_000_000
_PROMPTS = Prompts(query="task: search result | query: ", document="title: none | text: ")
_TASKS = {Role.QUERY: "RETRIEVAL_QUERY", Role.DOCUMENT: "RETRIEVAL_DOCUMENT"}


def load(
    model: str, options: OwnServerOptions, *, key: SecretStr | None = None, waits: Waits | None = None
) -> list[ServedEncoder[Any]]:
    """Make Gemini's encoders; nothing is sent. Models that octant does not know are taken to read texts alone.
    GEMINI_API_KEY goes to Google alone: another `url` wants the variable of its key (`key_env`).

    Raises MissingExtra without google-genai, ServiceError without a key, EncoderError for a dimension that the model
    lacks.
    """
    name = f"gemini:{model}"
    offer = offer_of(name, model, options, _OFFERS, Offer(0, 2048))
    variable = options.key_env or (_VARIABLE if options.url is None else None)
    found = key_of("Gemini", key, variable)
    url = address_of(name, options.url or _URL, key=found, insecure=options.insecure)
    service = Service("Gemini", options, key=found, variable=variable, url=url, waits=waits)
    client = _client(service)
    types: Any = import_of("google.genai", "gemini").types
    is_prompted = offer.modalities == _ALL

    def ask(parts: list[Any], task: str | None) -> Answer:
        # each in a content of its own: of several parts, gemini-embedding-2 makes one vector
        contents = [types.Content(parts=[part]) for part in parts]
        config = types.EmbedContentConfig(task_type=task, output_dimensionality=offer.asked)
        return _answer(client.models.embed_content(model=model, contents=contents, config=config))

    def ask_texts(contents: list[str], role: Role) -> Answer:
        return ask([types.Part(text=one) for one in contents], None if is_prompted else _TASKS[role])

    def ask_media(mime: str) -> Any:
        def asked(contents: list[str], role: Role) -> Answer:  # noqa: ARG001 - tasks are for texts
            return ask([types.Part.from_bytes(data=base64.b64decode(one), mime_type=mime) for one in contents], None)

        return asked

    notes = [_VERSION, "" if is_prompted else "taskType"]
    prompts = _PROMPTS if is_prompted else None
    made: list[ServedEncoder[Any]] = [
        texts(service, name, offer.dim, offer.tokens, _ROOM, ask_texts, prompts=prompts, notes=notes)
    ]
    if Modality.IMAGE in offer.modalities:
        asked = ask_media("image/jpeg")
        made.append(images(service, name, offer.dim, _ROOM, asked, most_bytes=_JPEG, notes=[_VERSION]))
    if Modality.AUDIO in offer.modalities:
        asked = ask_media("audio/wav")
        made.append(sounds(service, name, offer.dim, _SECONDS, _ROOM, asked, notes=[_VERSION]))
    return made


def _client(service: Service) -> Any:
    """The official client for the Gemini API, whatever the environment says of Vertex AI and of addresses."""
    genai: Any = import_of("google.genai", "gemini")
    assert service.key is not None  # `load` requires one
    return genai.Client(
        vertexai=False,
        api_key=service.key.get_secret_value(),
        http_options=genai.types.HttpOptions(
            base_url=service.url,
            api_version=_VERSION,
            timeout=int(service.options.timeout * 1000),
            client_args={"follow_redirects": False},
        ),
    )


def _answer(response: Any) -> Answer:
    counted = getattr(response, "usage_metadata", None)
    embeddings: Sequence[Any] = response.embeddings or ()
    rows: list[Any] = [entry.values or () for entry in embeddings]
    return Answer(rows, int(getattr(counted, "prompt_token_count", None) or 0))


FAMILY = Family(
    name="gemini",
    summary="texts, images and sounds by Google's Gemini API",
    modules=("google.genai", "tenacity"),
    install="pip install 'octant-search[gemini]'",
    options=OwnServerOptions,
    load=load,
    known=tuple(Known(one, offer.modalities, offer.dim, "a service; see its terms") for one, offer in _OFFERS.items()),
    roles=True,
    key=_VARIABLE,
)

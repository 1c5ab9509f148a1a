"""What all services have in common, each through its real client against a server that speaks its format."""

from __future__ import annotations

import email.utils
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_server import DIM, KEY, PROVIDERS, FakeTime, Provider, Reply, Server, serving, unit, vector_of
from pydantic import SecretStr, ValidationError

from octant.adapters.chunks import estimate
from octant.encoding import Role
from octant.errors import EncoderError, ServiceError
from octant.media import Text

for library in ("openai", "google.genai", "cohere", "httpx", "tenacity"):
    pytest.importorskip(library)


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Provider:
    for one in PROVIDERS.values():
        monkeypatch.delenv(one.variable, raising=False)
    found = PROVIDERS[request.param]
    monkeypatch.setenv(found.variable, KEY)
    return found


@pytest.fixture
def server(provider: Provider) -> Iterator[Server]:
    with serving(provider.speak) as started:
        yield started


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


def texts_encoder(provider: Provider, server: Server, **options: Any) -> Any:
    return provider.encoders(server.url, **options)[0]


def of(*words: str) -> list[Text]:
    return [Text(word) for word in words]


def failing(encoder: Any, *words: str) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        encoder.encode(of(*(words or ("a",))), Role.DOCUMENT)
    return raised.value


def sent(provider: Provider, server: Server) -> list[str]:
    return [text for request in server.requests for text in provider.texts_of(request.body)]


# --- what is asked and answered


def test_texts_become_unit_vectors_in_order(provider: Provider, server: Server) -> None:
    encoder = texts_encoder(provider, server)
    made = encoder.encode(of("one", "two", "drei"), Role.DOCUMENT)
    contents = sent(provider, server)
    assert [content.endswith(word) for content, word in zip(contents, ("one", "two", "drei"), strict=True)] == [
        True
    ] * 3
    for row, content in zip(made, contents, strict=True):
        assert row.dtype == np.float32
        np.testing.assert_allclose(row, unit(vector_of(content)), atol=1e-6)
    (request,) = server.requests
    assert request.path == provider.path
    assert KEY in {name.lower(): value for name, value in request.headers.items()}[provider.header.lower()]
    assert encoder.spec.dim == DIM


def test_a_batch_is_cut_into_requests_and_stays_in_order(provider: Provider, server: Server) -> None:
    encoder = texts_encoder(provider, server)
    words = [f"w{at}" for at in range(provider.most + 3)]
    made = encoder.encode(of(*words), Role.DOCUMENT)
    assert sorted(len(provider.texts_of(one.body)) for one in server.requests) == [3, provider.most]
    by_word = {content.rsplit(" ", 1)[-1]: content for content in sent(provider, server)}
    assert len(made) == len(words)
    for row, word in zip(made, words, strict=True):
        np.testing.assert_allclose(row, unit(vector_of(by_word[word])), atol=1e-6)
    assert encoder.usage.requests == 2
    assert encoder.usage.tokens == 3 * len(words)


def test_a_batch_is_the_same_as_one_by_one(provider: Provider, server: Server) -> None:
    encoder = texts_encoder(provider, server)
    words = ["a", "some more words of a text", "x " * 200]
    together = encoder.encode(of(*words), Role.QUERY)
    alone = [encoder.encode(of(word), Role.QUERY)[0] for word in words]
    np.testing.assert_allclose(np.stack(together), np.stack(alone), atol=1e-6)


def test_no_texts_are_no_request(provider: Provider, server: Server) -> None:
    assert texts_encoder(provider, server).encode([], Role.QUERY) == []
    assert server.requests == []


def test_requests_are_under_way_side_by_side_and_answers_in_order(provider: Provider, server: Server) -> None:
    second = threading.Event()

    def until_the_second_came() -> None:
        assert second.wait(20)

    server.replies = [Reply(before=until_the_second_came), Reply(before=second.set)]
    words = [f"w{at}" for at in range(provider.most + 1)]
    made = texts_encoder(provider, server, parallel=2).encode(of(*words), Role.DOCUMENT)
    by_word = {content.rsplit(" ", 1)[-1]: content for content in sent(provider, server)}
    for row, word in zip(made, words, strict=True):
        np.testing.assert_allclose(row, unit(vector_of(by_word[word])), atol=1e-6)


def test_after_a_failure_what_has_not_begun_is_not_sent(provider: Provider, server: Server) -> None:
    server.replies = [Reply(400, provider.says("no"))]
    error = failing(texts_encoder(provider, server, parallel=1), *map(str, range(3 * provider.most)))
    assert (error.status, len(server.requests)) == (400, 1)
    assert "refuses the request (HTTP 400: no)" in str(error)


def test_a_long_text_is_read_in_windows_and_all_of_it(provider: Provider, server: Server) -> None:
    encoder = texts_encoder(provider, server, tokens=64)
    text = " ".join(f"word{at}" for at in range(100))
    (made,) = encoder.encode(of(text), Role.DOCUMENT)
    contents = sent(provider, server)
    assert len(contents) > 1
    prompt = contents[0].removesuffix(contents[0][contents[0].index("word0") :])
    windows = [content.removeprefix(prompt) for content in contents]
    assert "".join(windows) == text
    assert all(len(estimate(content)) <= 64 for content in contents)
    rows = np.stack([unit(vector_of(content)) for content in contents])
    mean = np.average(rows, axis=0, weights=[len(estimate(window)) for window in windows])
    np.testing.assert_allclose(made, unit(mean), atol=1e-6)


def test_an_empty_text_is_left_out_before_anything_is_sent(provider: Provider, server: Server) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        texts_encoder(provider, server).encode(of("good", " \n", ""), Role.DOCUMENT)
    assert [error.media for error in raised.value.exceptions] == of(" \n", "")  # type: ignore[attr-defined]
    assert server.requests == []


def test_a_text_that_looks_like_something_else_is_a_text(provider: Provider, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "there.jpg"
    file.write_bytes(b"not for anyone")
    with serving(provider.speak) as elsewhere:
        looks = [str(file), f"{elsewhere.url}/x.jpg", "data:image/png;base64,iVBORw0KGgo=", "{'image': 'x'}"]
        texts_encoder(provider, server).encode(of(*looks), Role.DOCUMENT)
        assert elsewhere.requests == []
    assert [content.endswith(look) for content, look in zip(sent(provider, server), looks, strict=True)] == [True] * 4
    assert "not for anyone" not in str(server.requests)


def test_many_threads_may_encode_at_once(provider: Provider, server: Server) -> None:
    encoder = texts_encoder(provider, server)
    made: dict[int, Any] = {}

    def encode(at: int) -> None:
        made[at] = encoder.encode(of(f"t{at}"), Role.DOCUMENT)[0]

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_word = {content.rsplit(" ", 1)[-1]: content for content in sent(provider, server)}
    for at in range(8):
        np.testing.assert_allclose(made[at], unit(vector_of(by_word[f"t{at}"])), atol=1e-6)
    assert encoder.usage.requests == 8
    assert encoder.usage.tokens == 24


# --- what passes


def test_retry_after_is_obeyed(provider: Provider, server: Server, fake: FakeTime) -> None:
    server.replies = [Reply(429, provider.says("slow down"), {"Retry-After": "7"})]
    encoder = texts_encoder(provider, server, waits=fake.waits)
    assert len(encoder.encode(of("a"), Role.DOCUMENT)) == 1
    assert fake.slept == [7.0]
    assert len(server.requests) == 2
    assert encoder.usage.requests == 2
    assert encoder.usage.tokens == 3


def test_retry_after_may_be_a_date(provider: Provider, server: Server, fake: FakeTime) -> None:
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    server.replies = [Reply(503, provider.says("soon"), {"Retry-After": date})]
    texts_encoder(provider, server, waits=fake.waits).encode(of("a"), Role.DOCUMENT)
    (slept,) = fake.slept
    assert 0 < slept <= 30


def test_a_service_that_asks_for_an_hour_is_not_waited_for(provider: Provider, server: Server, fake: FakeTime) -> None:
    server.always = Reply(429, provider.says("spent"), {"Retry-After": "3600"})
    error = failing(texts_encoder(provider, server, waits=fake.waits))
    assert error.status == 429
    assert "3,600 s" in str(error)
    assert fake.slept == []
    assert len(server.requests) == 1


def test_asked_too_much_for_good(provider: Provider, server: Server, fake: FakeTime) -> None:
    server.always = Reply(429, provider.says("slow down"), {"Retry-After": "2"})
    error = failing(texts_encoder(provider, server, waits=fake.waits, retries=3))
    assert (error.service, error.status) == (provider.service, 429)
    assert "slow down" in str(error)
    assert "per_minute=" in str(error)
    assert fake.slept == [2.0] * 3
    assert len(server.requests) == 4


def test_a_failure_that_passes(provider: Provider, server: Server, fake: FakeTime) -> None:
    server.replies = [Reply(500, provider.says("oops")), Reply(502, "<html>bad gateway</html>")]
    assert len(texts_encoder(provider, server, waits=fake.waits).encode(of("a"), Role.DOCUMENT)) == 1
    first, second = fake.slept
    assert 1 <= first <= 2 <= second <= 3  # doubled, and up to a second of chance


def test_a_failure_that_stays(provider: Provider, server: Server, fake: FakeTime) -> None:
    server.always = Reply(500, provider.says("oops"))
    error = failing(texts_encoder(provider, server, waits=fake.waits, retries=2))
    assert (error.service, error.status) == (provider.service, 500)
    assert "oops" in str(error)
    assert "3 tries" in str(error)
    assert error.__cause__ is not None
    assert len(server.requests) == 3
    assert len(fake.slept) == 2


def test_an_answer_that_breaks_off_is_asked_for_again(provider: Provider, server: Server, fake: FakeTime) -> None:
    server.replies = [Reply(cut=100)]
    assert len(texts_encoder(provider, server, waits=fake.waits).encode(of("a"), Role.DOCUMENT)) == 1
    assert len(server.requests) == 2
    assert len(fake.slept) == 1


def test_a_slow_service_is_given_up(provider: Provider, server: Server, fake: FakeTime) -> None:
    server.always = Reply(before=server.closing.wait)
    error = failing(texts_encoder(provider, server, waits=fake.waits, timeout=0.2, retries=1))
    assert error.status is None
    assert "did not answer within 0.2 s" in str(error)
    assert "timeout=" in str(error)
    assert len(server.requests) == 2


def test_nobody_there(provider: Provider, fake: FakeTime) -> None:
    with serving(provider.speak) as gone:
        pass
    error = failing(texts_encoder(provider, gone, waits=fake.waits, retries=1))
    assert f"127.0.0.1:{gone.port}" in str(error)
    assert "is it running" in str(error)
    assert len(fake.slept) == 1


def test_requests_keep_their_pace(provider: Provider, server: Server, fake: FakeTime) -> None:
    encoder = texts_encoder(provider, server, waits=fake.waits, per_minute=30, parallel=1)
    for word in ("a", "b", "c"):
        encoder.encode(of(word), Role.DOCUMENT)
    assert fake.slept == [2.0, 2.0]
    fake.now += 60
    encoder.encode(of("d"), Role.DOCUMENT)
    assert len(fake.slept) == 2  # it was long enough ago


def test_requests_that_are_sent_again_keep_their_pace_as_well(
    provider: Provider, server: Server, fake: FakeTime
) -> None:
    server.replies = [Reply(429, provider.says("slow down"), {"Retry-After": "1"})]
    texts_encoder(provider, server, waits=fake.waits, per_minute=6).encode(of("a"), Role.DOCUMENT)
    assert fake.slept == [1.0, 9.0]


# --- what is nonsense


def _drop(rows: list[Any]) -> None:
    del rows[-1]


def _twice(rows: list[Any]) -> None:
    rows.append(rows[0])


def _numbers(rows: list[Any], numbers: Any) -> None:
    """Put other numbers into the last vector, however it is wrapped."""
    if isinstance(rows[-1], list):
        rows[-1] = numbers
    else:
        rows[-1]["embedding" if "embedding" in rows[-1] else "values"] = numbers


def _with(numbers: Any) -> Callable[[list[Any]], None]:
    return lambda rows: _numbers(rows, numbers)


def _none(rows: list[Any]) -> None:
    rows.clear()


NONSENSE = {
    "too few": (_drop, ""),
    "too many": (_twice, ""),
    "none": (_none, ""),
    "short": (_with([1.0, 2.0]), f"vectors of 2 numbers, not {DIM}"),
    "empty": (_with([]), f"vectors of 0 numbers, not {DIM}"),
    "NaN": (_with([math.nan] * DIM), "not finite"),
    "infinite": (_with([1e999] * DIM), "not finite"),
    "zero": (_with([0.0] * DIM), "zero"),
    "words": (_with(["x"] * DIM), ""),
    "null": (_with([None] * DIM), ""),
}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.parametrize("how", NONSENSE)
def test_nonsense_is_no_answer(provider: Provider, server: Server, fake: FakeTime, how: str) -> None:
    change, says = NONSENSE[how]

    def changed(answer: Any) -> Any:
        change(provider.rows_of(answer))
        return answer

    server.always = Reply(change=changed)
    error = failing(texts_encoder(provider, server, waits=fake.waits), "a", "b")
    assert error.service == provider.service
    assert says in str(error)
    assert len(server.requests) == 1  # asking again would cost, and bring the same


@pytest.mark.parametrize("body", ["", "{", '{"data": [{"index": 0, "embed', "<html></html>", "[]", "null", "{}"])
def test_what_cannot_be_read_is_no_answer(provider: Provider, server: Server, fake: FakeTime, body: str) -> None:
    server.always = Reply(body=body)
    error = failing(texts_encoder(provider, server, waits=fake.waits))
    assert error.service == provider.service
    assert len(server.requests) == 1


# --- keys and addresses


def everything_said(error: BaseException, caplog: pytest.LogCaptureFixture, *objects: object) -> str:
    logged = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    return "".join([*traceback.format_exception(error), repr(error), *logged, *map(repr, objects)])


def test_a_refused_key_is_not_shown(
    provider: Provider, server: Server, fake: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.always = Reply(401, provider.says(f"Incorrect API key provided: {KEY}. {'See our pages. ' * 30}{KEY}"))
    encoder = texts_encoder(provider, server, waits=fake.waits)
    error = failing(encoder)
    assert error.status == 401
    assert provider.variable in str(error)
    assert "Incorrect API key provided: [key]" in str(error)
    objects: list[object] = [encoder, encoder.spec, encoder.usage, encoder.__dict__]
    assert KEY not in everything_said(error, caplog, *objects)
    assert len(server.requests) == 1


def test_no_piece_of_the_key_is_shown_where_words_are_cut(provider: Provider, server: Server) -> None:
    for before in range(280, 305, 4):
        server.replies = [Reply(401, provider.says(f"{'x' * before}{KEY}"))]
        assert KEY[:6] not in str(failing(texts_encoder(provider, server)))


def test_no_failure_and_no_log_shows_the_key(
    provider: Provider, server: Server, fake: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    encoder = texts_encoder(provider, server, waits=fake.waits, retries=0, timeout=5)
    encoder.encode(of("a"), Role.DOCUMENT)
    for reply in (Reply(429), Reply(500), Reply(400), Reply(body="{"), Reply(cut=10), Reply(404), Reply(302)):
        server.replies = [reply]
        objects: list[object] = [encoder.__dict__, encoder._service.__dict__]
        assert KEY not in everything_said(failing(encoder), caplog, *objects)
    assert caplog.records  # something was logged at all


def test_without_a_key_its_variable_is_named(
    provider: Provider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(provider.variable)
    with pytest.raises(ServiceError, match=provider.variable):
        texts_encoder(provider, server)
    monkeypatch.setenv(provider.variable, "  ")
    with pytest.raises(ServiceError, match=provider.variable):
        texts_encoder(provider, server)


def test_the_key_of_a_provider_goes_nowhere_else(provider: Provider, server: Server) -> None:
    if provider.service in ("Cohere", "Gemini", "Jina"):  # they have no server without a key
        with pytest.raises(ServiceError, match="key_env="):
            provider.load(provider.model, provider.options(url=server.url, dim=DIM))
        assert server.requests == []
    else:
        (encoder,) = provider.load(provider.model, provider.options(url=server.url, dim=DIM))
        encoder.encode(of("a"), Role.DOCUMENT)
        assert KEY not in str(server.requests[0].headers)
    (named, *_) = provider.load(provider.model, provider.options(url=server.url, dim=DIM, key_env=provider.variable))
    named.encode(of("a"), Role.DOCUMENT)
    assert KEY in str(server.requests[-1].headers)


@pytest.mark.parametrize("name", ["cohere", "gemini", "jina", "nvidia", "openai"])
def test_at_its_own_address_a_provider_has_its_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = PROVIDERS[name]
    monkeypatch.delenv(one.variable, raising=False)
    with pytest.raises(ServiceError, match=f"set {one.variable}"):
        one.load(one.model, one.options(dim=DIM))
    monkeypatch.setenv(one.variable, KEY)
    assert one.load(one.model, one.options(dim=DIM))


def test_a_key_may_be_given_and_ends_where_it_ends(
    provider: Provider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(provider.variable, "another")
    texts_encoder(provider, server, key=SecretStr(f"{KEY}\n")).encode(of("a"), Role.DOCUMENT)
    headers = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert headers[provider.header.lower()].removeprefix("Bearer ") == KEY


@pytest.mark.parametrize("bad", [f"{KEY}\nX-Other: 1", f"{KEY} {KEY}", f"“{KEY}”"])
def test_a_key_that_is_none_is_refused_without_showing_it(
    provider: Provider, server: Server, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setenv(provider.variable, bad)
    with pytest.raises(ServiceError, match=provider.variable) as raised:
        texts_encoder(provider, server)
    assert KEY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_follows_a_redirect(provider: Provider, server: Server, fake: FakeTime, status: int) -> None:
    with serving(provider.speak) as elsewhere:
        server.always = Reply(status, {}, {"Location": f"{elsewhere.url}{provider.path}"})
        error = failing(texts_encoder(provider, server, waits=fake.waits))
        assert elsewhere.requests == []
    assert error.status == status
    assert "does not follow" in str(error)
    assert len(server.requests) == 1


def test_a_key_does_not_go_unencrypted_to_another_machine(provider: Provider) -> None:
    for url in ("http://gateway.example/v1", "http://10.0.0.7:8000", "http://127.0.0.1.example"):
        with pytest.raises(EncoderError, match="unencrypted") as raised:
            provider.encoders(url)
        assert KEY not in str(raised.value)
    for url in ("https://gateway.example/v1", "http://localhost:1", "http://[::1]:1", "http://127.8.0.1:1"):
        assert provider.encoders(url)
    assert provider.encoders("http://gateway.example/v1", insecure=True)


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:80", "/v1", "http://", "https://me:secret@host", "https://host/?key=secret"]
)
def test_a_bad_address_is_refused(provider: Provider, url: str) -> None:
    with pytest.raises(EncoderError, match="url=") as raised:
        provider.encoders(url)
    assert "secret" not in str(raised.value)


def test_the_environment_sends_nothing_elsewhere(
    provider: Provider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(provider.speak) as elsewhere:
        for name in ("OPENAI_BASE_URL", "CO_API_URL", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"):
            monkeypatch.setenv(name, elsewhere.url)
        monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
        monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-of-mine")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-mine")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-of-mine")
        texts_encoder(provider, server).encode(of("a"), Role.DOCUMENT)
        assert elsewhere.requests == []
    (request,) = server.requests
    assert request.path == provider.path
    assert "of-mine" not in str(request.headers)


# --- what it says of itself


def test_the_identity_has_what_makes_the_vectors_and_no_more(provider: Provider, server: Server) -> None:
    encoder = texts_encoder(provider, server)
    assert provider.model in encoder.spec.identity
    assert f"dim={DIM}" in encoder.spec.identity
    assert KEY not in encoder.spec.identity
    assert str(server.port) not in encoder.spec.identity
    same = provider.encoders("https://another.example", timeout=3, per_minute=5)[0]
    assert same.spec.identity == encoder.spec.identity
    others = [texts_encoder(provider, server, dim=512), texts_encoder(provider, server, tokens=100)]
    assert len({encoder.spec.identity, *(one.spec.identity for one in others)}) == 3


def test_encoders_of_a_model_are_of_one_space_and_count_together(provider: Provider, server: Server) -> None:
    encoders = provider.encoders(server.url)
    assert {(one.spec.dim, one.spec.kind) for one in encoders} == {(DIM, encoders[0].spec.kind)}
    assert len({one.spec.modality for one in encoders}) == len(encoders)
    assert len({one.spec.identity for one in encoders}) == len(encoders)
    assert len({id(one.usage) for one in encoders}) == 1


def test_loading_asks_nothing(provider: Provider, server: Server) -> None:
    provider.encoders(server.url)
    assert server.requests == []


def test_options_are_read_from_words(provider: Provider, server: Server) -> None:
    words = {"dim": "512", "url": server.url, "per_minute": "60", "timeout": "1.5", "retries": "0", "insecure": "true"}
    encoder = provider.load(provider.model, provider.options.model_validate({**words, **provider.extra}))[0]
    assert encoder.spec.dim == 512
    with pytest.raises(ValidationError):
        provider.options.model_validate({"api_key": KEY})


def test_a_shorter_vector_is_asked_for(provider: Provider, server: Server) -> None:
    (made,) = texts_encoder(provider, server, dim=512).encode(of("a"), Role.DOCUMENT)
    assert made.shape == (512,)


def test_a_model_that_is_not_known_needs_its_dimension(provider: Provider, server: Server) -> None:
    asked = provider.options(url=server.url, **provider.extra)
    with pytest.raises(EncoderError, match="dim="):
        provider.load("tomorrow-1", asked)
    (encoder, *_) = provider.load("tomorrow-1", asked.model_copy(update={"dim": 16}))
    assert encoder.spec.dim == 16
    assert server.requests == []

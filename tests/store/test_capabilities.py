"""The table of capabilities is true: what it says of a store is what the store does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import qdrant_edge as qe
from qdrant_client.http import models as m
from store_cases import DENSE, FILTERS, MOSTLY, REQUESTS, TERMS, VECTORS, ask, field, only

from octant.errors import StoreError
from octant.stores import AsyncClient, Client, Place, open_async_store, open_store
from octant.stores.capabilities import (
    Capabilities,
    Feature,
    capabilities_of,
    capabilities_of_async,
    page,
    read_version,
)
from octant.stores.local import LocalClient
from octant.stores.place import Kind

PAGE = Path(__file__).parents[2] / "docs" / "capabilities.md"

Probe = Callable[[Client, str], Any]
"""Uses a feature, of the collection `things` or of a new one of this name, and returns what it brought."""


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place of Edge; its worker has one like it."""
    path = tmp_path_factory.mktemp("place")
    open_store(path=path, worker=False).close()
    return Place(path)


@pytest.fixture
def able(store: Client, request: pytest.FixtureRequest, embedded: Place) -> Capabilities:
    """What the store under test says that it can do."""
    kind: str = request.node.callspec.params["store"]
    if kind == "server":
        return capabilities_of(store, Place(None, request.getfixturevalue("server_url")))
    return capabilities_of(store, Place(None) if kind == "local" else embedded)


@pytest.mark.parametrize("feature", Feature)
def test_a_store_does_what_the_table_says(
    feature: Feature,
    filled: tuple[Client, Client],
    fresh: Callable[[], tuple[Client, Client, str]],
    able: Capabilities,
) -> None:
    _, oracle = filled
    store, _, name = fresh()
    if able.engine == "server" and feature in WITHOUT_A_METHOD:
        pytest.skip("it is there through qdrant_client")
    if not able.can(feature):
        if not (able.engine == "server" and feature in IGNORED):
            with pytest.raises(StoreError):
                PROBES[feature](store, name)
        with pytest.raises(StoreError, match=r"needs|update"):
            able.need(feature)
        return
    assert able.need(feature) == able.support(feature)
    brought = PROBES[feature](store, name)
    if CAPABLE_ORACLE.can(feature):
        assert_close(brought, PROBES[feature](oracle, name))


IGNORED = {Feature.NESTED_INDEX}
"""What a server that is too old for it takes without a word, and does not do."""


def assert_close(mine: Any, theirs: Any) -> None:
    """Compare numbers to three digits: engines add them up in another order."""
    if isinstance(theirs, list | tuple):
        for one, other in zip(mine, cast("list[Any]", theirs), strict=True):
            assert_close(one, other)
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, abs=2e-3)
    else:
        assert mine == theirs


def test_what_is_emulated_on_edge_is_what_its_binding_lacks() -> None:
    emulated = {feature for feature in Feature if EDGE.support(feature).how == "emulated"}
    assert emulated == set(LACKING)
    assert all(EDGE.support(feature).note for feature in emulated)
    for feature, is_lacking in LACKING.items():
        assert is_lacking(), feature


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m octant.stores.capabilities > docs/capabilities.md"
    assert [line for line in page().splitlines() if line.startswith("| RRF with k ")] == [
        "| RRF with k | yes | yes | 1.16 |"
    ]


def test_a_server_has_what_its_version_has() -> None:
    old, new = Capabilities("server", (1, 17, 3)), Capabilities("server", (1, 20, 0))
    assert old.can(Feature.RRF_WEIGHTS)
    assert not old.can(Feature.TEXT_QUERY)
    assert new.can(Feature.TEXT_QUERY)
    assert old.support(Feature.SLICE).note == "needs Qdrant 1.19"
    with pytest.raises(StoreError, match=r"this server is Qdrant 1\.17\.3, without slices; update it to 1\.19"):
        old.need(Feature.SLICE)


def test_a_server_that_hides_its_version_is_taken_for_the_newest() -> None:
    assert read_version(m.VersionInfo(title="qdrant", version="dev")) is None
    assert read_version(m.VersionInfo(title="qdrant", version="1.19.2-dev")) == (1, 19, 2)
    assert Capabilities("server", None).can(Feature.TEXT_QUERY)


def test_what_an_embedded_engine_cannot_do_names_what_can() -> None:
    with pytest.raises(
        StoreError, match=r"local mode has no support for .* \(.*tokenizer.*\); that needs Qdrant Edge.* 1\.20"
    ):
        CAPABLE_ORACLE.need(Feature.TEXT_TOKENS)
    with pytest.raises(
        StoreError, match=r"Qdrant Edge has no support for MMR over sparse.*; that needs a Qdrant server 1\.15"
    ):
        EDGE.need(Feature.MMR_SPARSE)


async def test_the_kind_of_a_store_is_told_by_its_place(tmp_path: Path) -> None:
    edge: AsyncClient = await open_async_store(path=tmp_path / "edge")
    assert (await capabilities_of_async(edge, Place(tmp_path / "edge"))).engine == "edge"
    await edge.close()
    local = LocalClient(tmp_path / "local")
    assert capabilities_of(local, Place(tmp_path / "local")) == CAPABLE_ORACLE
    local.close()
    assert set(get_args(Kind)) == {"edge", "local", "server"}


async def test_the_version_is_what_the_client_is_told() -> None:
    told = m.VersionInfo(title="qdrant", version="1.18.1")

    class Telling:
        def info(self) -> m.VersionInfo:
            return told

    class AsyncTelling:
        async def info(self) -> m.VersionInfo:
            return told

    able = capabilities_of(cast("Any", Telling()), Place(None, "http://here"))
    assert able == await capabilities_of_async(cast("Any", AsyncTelling()), Place(None, "http://here"))
    assert able == Capabilities("server", (1, 18, 1))


async def test_a_server_is_asked_for_its_version(server_url: str) -> None:
    client, other = open_store(url=server_url), await open_async_store(url=server_url)
    able = capabilities_of(client, Place(None, server_url))
    assert able == await capabilities_of_async(other, Place(None, server_url))
    assert able.engine == "server"
    assert able.version is not None
    client.close()
    await other.close()


def asked(request: m.QueryRequest) -> Probe:
    """The scores that a query of `things` brings: among equals each store has an order of its own."""

    def probe(client: Client, _: str) -> list[float]:
        return [round(hit.score, 3) for hit in client.query_batch_points("things", [request])[0].points]

    return probe


def counted(condition: m.Filter) -> Probe:
    return lambda client, _: client.count("things", condition).count


def made(client: Client, name: str, index: m.PayloadFieldSchema | None = None) -> None:
    """Make a collection of three points with a text each."""
    if client.collection_exists(name):
        client.delete_collection(name)
    client.create_collection(name, {"dense": VECTORS["dense"]}, metadata={"made": "here"})
    if index is not None:
        client.create_payload_index(name, "text", index)
    texts = ("red birds sing", "a red drum", "the river")
    client.upsert(
        name,
        [m.PointStruct(id=i, vector={"dense": DENSE}, payload={"text": text, "n": i}) for i, text in enumerate(texts)],
    )


def lexical(params: m.SearchParams | None = None, **index: Any) -> Probe:
    """Search texts for `red bird` by a text index."""
    schema = m.TextIndexParams.model_validate({"type": "text", "tokenizer": "word", "scoring": True, **index})

    def probe(client: Client, name: str) -> list[tuple[Any, float]]:
        made(client, name, schema)
        query = m.TextQuery(text="red birds")
        return [
            (hit.id, round(hit.score, 4))
            for hit in client.query_points(name, query, "text", search_params=params).points
        ]

    return probe


def method(name: str) -> Probe:
    def probe(client: Client, _: str) -> None:
        if not hasattr(client, name):
            raise StoreError(f"no {name}")

    return probe


def grouped(**given: Any) -> Probe:
    def probe(client: Client, _: str) -> Any:
        groups = client.query_points_groups("things", "n", DENSE, using="dense", limit=30, **given).groups
        return [(group.id, group.lookup is None or group.lookup.payload) for group in groups]

    return probe


def faceted(client: Client, _: str) -> Any:
    return {(hit.value, hit.count) for hit in client.facet("things", "k", exact=True).hits}


def indexed(client: Client, name: str) -> Any:
    made(client, name)
    client.create_payload_index(name, "n", m.PayloadSchemaType.INTEGER)
    return client.count(name, only(field("n", 1))).count


def indexed_within(client: Client, name: str) -> Any:
    made(client, name)
    client.create_payload_index(
        name, "offers[].price", m.IntegerIndexParams(type=m.IntegerIndexType.INTEGER, nested="offers")
    )
    client.set_payload(name, {"offers": [{"price": 3, "in": 1}, {"price": 4, "in": 0}]}, [1])
    inner = only(field("price", 3), field("in", 1))
    return client.count(name, only(m.NestedCondition(nested=m.Nested(key="offers", filter=inner)))).count


def quantized(client: Client, name: str) -> Any:
    client.create_collection(
        name,
        {"dense": VECTORS["dense"]},
        quantization_config=m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)),
    )
    client.upsert(name, [m.PointStruct(id=1, vector={"dense": DENSE})])
    return [hit.id for hit in client.query_points(name, DENSE, using="dense").points]


def written(**given: Any) -> Probe:
    """Write over a point and beside it, where that is allowed; return what stands then."""

    def probe(client: Client, name: str) -> Any:
        made(client, name)
        points = [m.PointStruct(id=i, vector={"dense": DENSE}, payload={"n": 9}) for i in (1, 7)]
        client.upsert(name, points, **given)
        return sorted((record.id, (record.payload or {})["n"]) for record in client.scroll(name)[0])

    return probe


def vector_added(client: Client, name: str) -> Any:
    made(client, name)
    late = m.DenseVectorNameConfig(dense=m.DenseVectorConfig(size=2, distance=m.Distance.DOT))
    client.create_vector_name(name, "late", late)
    client.update_vectors(name, [m.PointVectors(id=1, vector={"late": [1.0, 2.0]})])
    found = [(hit.id, hit.score) for hit in client.query_points(name, [1.0, 1.0], using="late").points]
    client.delete_vector_name(name, "late")
    return found


def metadata_kept(client: Client, name: str) -> Any:
    made(client, name)
    client.update_collection(name, metadata={"more": 1})
    return client.get_collection(name).config.metadata


def refuses(call: Callable[[], Any]) -> bool:
    try:
        call()
    except TypeError:
        return True
    return False


NEAR_BUT_APART = m.NearestQuery(nearest=TERMS, mmr=m.Mmr(diversity=0.5, candidates_limit=20))
CORPUS = m.SearchParams(idf=m.IdfCorpusParams(corpus=only(field("k", "k1"))))
BOUNDED = m.MinExpression(min=[m.MaxExpression(max=["$score", 0.3]), m.AcoshExpression(acosh=2.0)])
PAIR = m.ContextPair(positive=4, negative=8)

PROBES: dict[Feature, Probe] = {
    Feature.SPARSE: asked(REQUESTS["sparse"]),
    Feature.IDF: asked(REQUESTS["sparse with idf"]),
    Feature.IDF_CORPUS: asked(ask(query=TERMS, using="words", params=CORPUS)),
    Feature.MULTIVECTOR: asked(REQUESTS["multi"]),
    Feature.TEXT_QUERY: lexical(),
    Feature.TEXT_TOKENS: lexical(
        stemmer=m.SnowballParams(type=m.Snowball.SNOWBALL, language=m.SnowballLanguage.ENGLISH)
    ),
    Feature.TEXT_CORPUS: lexical(m.SearchParams(idf=m.IdfCorpusParams(corpus=only(field("n", 1))))),
    Feature.PREFETCH: asked(REQUESTS["rescoring twice"]),
    Feature.RRF: asked(REQUESTS["rrf"]),
    Feature.RRF_K: asked(REQUESTS["rrf with k"]),
    Feature.RRF_WEIGHTS: asked(REQUESTS["rrf with weights"]),
    Feature.DBSF: asked(REQUESTS["dbsf"]),
    Feature.FORMULA: asked(REQUESTS["decay"]),
    Feature.FORMULA_BOUNDS: asked(ask(query=m.FormulaQuery(formula=BOUNDED), prefetch=MOSTLY)),
    Feature.MMR: asked(REQUESTS["mmr"]),
    Feature.MMR_SPARSE: asked(ask(query=NEAR_BUT_APART, using="words")),
    Feature.RECOMMEND_AVERAGE: asked(REQUESTS["average"]),
    Feature.RECOMMEND_BEST: asked(REQUESTS["best score"]),
    Feature.RECOMMEND_SUM: asked(REQUESTS["sum of scores"]),
    Feature.DISCOVER: asked(REQUESTS["discover"]),
    Feature.CONTEXT: asked(ask(query=m.ContextQuery(context=[PAIR]), using="dense")),
    Feature.FEEDBACK: asked(REQUESTS["feedback"]),
    Feature.ID_QUERY: asked(REQUESTS["id as query"]),
    Feature.LOOKUP_FROM: asked(REQUESTS["lookup"]),
    Feature.ORDER_BY: asked(REQUESTS["order by"]),
    Feature.SAMPLE: asked(ask(query=m.SampleQuery(sample=m.Sample.RANDOM))),
    Feature.GROUPS: grouped(),
    Feature.GROUPS_LOOKUP: grouped(
        with_lookup=m.WithLookup(collection="other", with_payload=["name"], with_vectors=False)
    ),
    Feature.FACET: faceted,
    Feature.MATRIX: method("search_matrix_pairs"),
    Feature.ACORN: asked(
        ask(
            query=DENSE,
            using="dense",
            filter=FILTERS["true"],
            params=m.SearchParams(acorn=m.AcornSearchParams(enable=True)),
        )
    ),
    Feature.TEXT: counted(FILTERS["full text"]),
    Feature.TEXT_ANY: counted(FILTERS["text of any"]),
    Feature.PHRASE: counted(FILTERS["phrase"]),
    Feature.PREFIX: counted(FILTERS["prefix"]),
    Feature.SUBSTRING: counted(FILTERS["substring"]),
    Feature.HAS_VECTOR: counted(FILTERS["has vector"]),
    Feature.MIN_SHOULD: counted(FILTERS["at least"]),
    Feature.DATES: counted(FILTERS["dates"]),
    Feature.NESTED: counted(FILTERS["nested"]),
    Feature.SLICE: counted(FILTERS["slice"]),
    Feature.PAYLOAD_INDEX: indexed,
    Feature.NESTED_INDEX: indexed_within,
    Feature.QUANTIZATION: quantized,
    Feature.UPDATE_FILTER: written(update_filter=only(field("n", 1))),
    Feature.UPDATE_MODE: written(update_mode=m.UpdateMode.INSERT_ONLY),
    Feature.VECTOR_NAMES: vector_added,
    Feature.METADATA: metadata_kept,
    Feature.ALIASES: method("update_collection_aliases"),
    Feature.SNAPSHOTS: method("create_snapshot"),
}
WITHOUT_A_METHOD = {Feature.MATRIX, Feature.ALIASES, Feature.SNAPSHOTS}

LACKING: dict[Feature, Callable[[], bool]] = {
    Feature.RECOMMEND_AVERAGE: lambda: (
        {name for name in dir(qe.Query) if name.startswith("Recommend")} == {"RecommendBestScore", "RecommendSumScores"}
    ),
    Feature.ID_QUERY: lambda: refuses(lambda: qe.QueryRequest(limit=1, query=qe.Query.Nearest(5, "dense"))),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Feature.LOOKUP_FROM: lambda: refuses(lambda: qe.QueryRequest(limit=1, lookup_from="other")),  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Feature.GROUPS: lambda: not hasattr(qe.EdgeShard, "query_groups"),
    Feature.GROUPS_LOOKUP: lambda: not hasattr(qe.EdgeShard, "query_groups"),
    Feature.METADATA: lambda: not hasattr(qe.EdgeConfig, "metadata"),
}

CAPABLE_ORACLE = capabilities_of(LocalClient(None), Place(None))
EDGE = Capabilities("edge", (0, 9, 0))

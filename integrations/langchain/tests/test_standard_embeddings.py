"""LangChain's own suites for embeddings, around an encoder and around a space."""

from __future__ import annotations

from typing import Any

from langchain_octant import OctantEmbeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from parts import Words

import octant
from octant import Modality


class _OfAnEncoder:
    @property
    def embeddings_class(self) -> type[OctantEmbeddings]:
        return OctantEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"encoder": Words(Modality.TEXT)}


class _OfTheStarter(_OfAnEncoder):
    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"encoder": octant.starter().fields["text"].space}


class TestUnitsOfAnEncoder(_OfAnEncoder, EmbeddingsUnitTests):
    pass


class TestAnEncoder(_OfAnEncoder, EmbeddingsIntegrationTests):
    pass


class TestUnitsOfTheStarter(_OfTheStarter, EmbeddingsUnitTests):
    pass


class TestTheStarter(_OfTheStarter, EmbeddingsIntegrationTests):
    pass

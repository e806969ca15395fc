"""The application of one net, and a client of it."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tinydigits.serve import api
from tinydigits.serve.served import ServedNet, served_net


@pytest.fixture(scope="package")
def net() -> ServedNet:
    return served_net("people")


@pytest.fixture
def client(net: ServedNet) -> Iterator[TestClient]:
    with TestClient(api.application(net), raise_server_exceptions=False) as client:
        yield client

"""A service and users for whole modules of tests."""

import pytest
import requests
from benchmarks.service import Service

from servers.stores import ALSO_MONGO, settings_for


@pytest.fixture(scope="module", params=ALSO_MONGO)
def running(request):
    """A service of this module's own, over each store."""
    with settings_for(request.param) as settings, Service(**settings) as service:
        yield service


@pytest.fixture(scope="module")
def stranger(running):
    """Another user's session."""
    session = requests.Session()
    credentials = {"username": "stranger", "password": "strangers password"}
    session.post(f"{running.base}/auth/register", json=credentials).raise_for_status()
    token = session.post(f"{running.base}/auth/login", json=credentials).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session

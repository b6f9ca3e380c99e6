"""The limit of requests, over real connections."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from benchmarks.service import Service

LIMIT = "X-RateLimit-Limit"
LEFT = "X-RateLimit-Remaining"
RESET = "X-RateLimit-Reset"
THEIRS = "a good password"


@pytest.fixture(scope="module")
def service():
    with Service(SCRAPEMASTER_RATE_LIMIT="100/hour") as running:
        me = running.http.get(f"{running.base}/auth/me").json()["id"]
        answer = running.http.patch(f"{running.base}/users/{me}", json={"rate_limit": "off"})
        assert (answer.status_code, answer.headers[LIMIT], answer.headers[LEFT]) == (200, "100", "98")
        yield running


def login(service, name, password=THEIRS):
    answer = requests.post(f"{service.base}/auth/login", json={"username": name, "password": password})
    assert answer.status_code == 200
    assert LIMIT not in answer.headers
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
def person(service):
    """Makes a user; gives its id and the headers of a token."""

    def make(**fields):
        name = f"user-{time.monotonic_ns()}"
        body = {"username": name, "password": THEIRS, **fields}
        made = service.http.post(f"{service.base}/users", json=body)
        assert made.status_code == 201
        return made.json(), login(service, name)

    return make


def test_H38_two_hundred_at_once_by_several_tokens_and_keys_get_exactly_the_limit(service, person):
    user, token = person()
    other = login(service, user["username"])
    key = requests.post(f"{service.base}/auth/keys", json={"name": "a"}, headers=token)
    assert (key.headers[LIMIT], key.headers[LEFT]) == ("100", "99")
    ways = [token, other, {"X-API-Key": key.json()["key"]}, {"Authorization": f"Bearer {key.json()['key']}"}]

    def ask(number):
        # A connection of its own each, and a header that claims to come from elsewhere.
        headers = {**ways[number % 4], "X-Forwarded-For": f"192.0.2.{number}"}
        return requests.get(f"{service.base}/monitoring/stats", headers=headers, timeout=60)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(200)))

    passed = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(passed), len(refused)) == (99, 101)
    assert sorted(int(answer.headers[LEFT]) for answer in passed) == list(range(99))
    assert {answer.headers[LEFT] for answer in refused} == {"0"}
    assert {answer.headers[LIMIT] for answer in answers} == {"100"}
    assert len({answer.headers[RESET] for answer in [key, *answers]}) == 1


def test_two_hundred_at_once_are_told_each_remaining_number_once(service, person):
    _, token = person()

    def ask(_):
        return requests.get(f"{service.base}/auth/me", headers=token, timeout=60)

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(ask, range(200)))

    passed = [int(answer.headers[LEFT]) for answer in answers if answer.status_code == 200]
    assert sorted(passed, reverse=True) == list(range(99, -1, -1))
    assert sum(answer.status_code == 429 for answer in answers) == 100


def test_past_the_limit_comes_429_with_the_time_to_wait(service, person):
    user, token = person(rate_limit="2/day")
    before = time.time()
    answers = [requests.get(f"{service.base}/auth/me", headers=token) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    last = answers[-1]
    assert (last.json()["type"], last.headers[LIMIT], last.headers[LEFT]) == ("rate_limited", "2", "0")
    assert before + 86_400 <= int(last.headers[RESET]) <= time.time() + 86_402
    assert 86_000 < int(last.headers["Retry-After"]) <= 86_400
    assert last.headers["X-Request-ID"]

    # An admin lifts it at once; what was spent stays spent in a window of the same length.
    service.http.patch(f"{service.base}/users/{user['id']}", json={"rate_limit": "6/day"})
    answer = requests.get(f"{service.base}/auth/me", headers=token)
    assert (answer.status_code, answer.headers[LIMIT], answer.headers[LEFT]) == (200, "6", "1")


def test_every_authenticated_response_counts_and_says_so_errors_too(service, person):
    _, token = person(rate_limit="50/hour")
    base = service.base
    answers = [
        requests.get(f"{base}/auth/me", headers=token),
        requests.get(f"{base}/jobs/none", headers=token),
        requests.get(f"{base}/nowhere", headers=token),
        requests.put(f"{base}/jobs", headers=token),
        requests.post(f"{base}/jobs", data=b"{", headers={**token, "Content-Type": "application/json"}),
        requests.post(f"{base}/jobs", data=b"\xff", headers={**token, "Content-Type": "application/json"}),
        requests.post(f"{base}/jobs", json={"nonsense": 1}, headers=token),
        requests.get(f"{base}/users", headers=token),
        requests.get(f"{base}/jobs?limit=-1", headers=token),
        requests.post(f"{base}/jobs", data=b"x" * 17_000_000, headers=token),
        requests.post(f"{base}/auth/logout", headers=token),
    ]

    codes = [answer.status_code for answer in answers]
    assert codes == [200, 404, 404, 405, 422, 400, 422, 403, 422, 413, 204]
    assert [answer.headers[LEFT] for answer in answers] == [str(49 - n) for n in range(len(answers))]
    gone = requests.get(f"{base}/auth/me", headers=token)
    assert (gone.status_code, LIMIT in gone.headers) == (401, False)


def test_without_a_limit_there_are_no_headers(service):
    for _ in range(150):
        answer = service.http.get(f"{service.base}/auth/me")
        assert (answer.status_code, LIMIT in answer.headers) == (200, False)

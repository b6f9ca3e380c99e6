"""What the dashboard asks of the API: events of all jobs, courses, changes, pages to look at, many jobs at once, its own budget."""

import json

import pytest
import requests
from benchmarks.service import Service
from benchmarks.tree import tree
from hostile import PAYLOADS, hostile_site

PAGES = 40


@pytest.fixture(scope="module")
def site():
    with tree(PAGES) as url:
        yield url


@pytest.fixture(scope="module")
def hostile():
    with hostile_site() as url:
        yield url


def run(running, site, **order):
    return running.finished(running.create(url=site, config={"follow_links": True}, **order)["id"])


def changes(running, job, **query):
    answer = running.http.get(f"{running.base}/jobs/{job['id']}/changes", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_all_jobs_are_followed_in_one_request(running, site, stranger):
    mine = running.http.get(f"{running.base}/events", stream=True, timeout=30)
    theirs = stranger.get(f"{running.base}/events", stream=True, timeout=30)
    seen = {}
    lines = mine.iter_lines(decode_unicode=True)
    job = running.create(
        url=site, config={"follow_links": True, "delay": 0.1, "concurrency": 1, "max_pages": 20}
    )
    event = ""
    for line in lines:
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            data = json.loads(line[6:])
            seen.setdefault(event, []).append(data)
            if event == "job" and data["id"] == job["id"] and data["status"] == "completed":
                break
    mine.close()

    states = [one["status"] for one in seen["job"] if one["id"] == job["id"]]
    assert states[0] == "running"
    assert states[-1] == "completed"
    assert sorted(seen["counts"][0]["status_counts"]) == [
        "cancelled",
        "completed",
        "failed",
        "paused",
        "pending",
        "running",
    ]
    first = b"".join(next(theirs.iter_content(4_096)) for _ in range(1))
    theirs.close()
    assert job["id"].encode() not in first


def test_a_course_adds_up_to_the_job(running, site):
    job = run(running, site, name="course")

    course = running.http.get(f"{running.base}/jobs/{job['id']}/series", params={"points": 10}).json()

    assert course["started_at"] == job["started_at"]
    assert len(course["points"]) <= 10
    assert (
        sum(point["ok"] for point in course["points"])
        == sum(point["pages"] for point in course["points"])
        == PAGES
    )
    assert sum(point["items"] for point in course["points"]) == job["items_scraped"]
    assert sum(point["bytes"] for point in course["points"]) == job["bytes_downloaded"]
    assert all(0 <= point["latency"] <= point["slowest"] for point in course["points"])


def test_a_first_run_has_no_changes_and_a_second_one_is_compared_with_it(running, site):
    first = run(running, site, name="compared")
    second = run(running, site, name="compared")

    alone, both = changes(running, first), changes(running, second)

    assert (alone["against"], alone["new"], alone["changes"]) == (None, 0, [])
    assert (both["against"], both["same"], both["new"], both["gone"]) == (first["id"], PAGES, 0, 0)


def test_runs_are_compared_by_a_field_and_shown_by_kind_and_page(running, site):
    small = running.finished(running.create(url=site, config={"follow_links": True, "max_pages": 10})["id"])
    large = run(running, site)

    found = changes(running, large, against=small["id"], by="url", kind="new", limit=5)

    assert (found["new"], found["changed"], found["gone"], found["same"]) == (PAGES - 10, 0, 0, 10)
    assert [one["kind"] for one in found["changes"]] == ["new"] * 5
    assert all(one["before"] is None and one["after"]["url"] == one["key"] for one in found["changes"])
    refused = running.http.get(
        f"{running.base}/jobs/{large['id']}/changes", params={"against": small["id"], "by": "nonsense"}
    )
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", "by"])


def test_runs_of_a_schedule_are_compared_with_each_other(running, site):
    schedule = running.http.post(
        f"{running.base}/schedules", json={"cron": "0 6 * * *", "job": {"url": site}}
    ).json()
    runs = [
        running.finished(running.http.post(f"{running.base}/schedules/{schedule['id']}/run").json()["id"])
        for _ in range(2)
    ]

    assert changes(running, runs[1])["against"] == runs[0]["id"]
    listed = running.http.get(f"{running.base}/jobs", params={"schedule": schedule["id"]})
    assert [job["id"] for job in listed.json()] == [runs[1]["id"], runs[0]["id"]]


def test_many_jobs_are_acted_on_at_once_and_refusals_are_told(running, site, stranger):
    slow = {"follow_links": True, "delay": 5}
    open_ = [running.create(url=site, config=slow)["id"] for _ in range(2)]
    over = run(running, site)["id"]

    answer = running.http.post(
        f"{running.base}/jobs/bulk", json={"action": "cancel", "ids": [*open_, over, "none"]}
    ).json()

    assert answer["done"] == 2
    assert {one["id"]: one["detail"] for one in answer["refused"]} == {
        over: "a job that is completed cannot become cancelled",
        "none": "Job not found",
    }
    gone = stranger.post(f"{running.base}/jobs/bulk", json={"action": "delete", "ids": open_}).json()
    assert [one["detail"] for one in gone["refused"]] == ["Job not found"] * 2
    assert (
        running.http.post(f"{running.base}/jobs/bulk", json={"action": "delete", "ids": [over]}).json()[
            "done"
        ]
        == 1
    )
    assert running.http.get(f"{running.base}/jobs/{over}").status_code == 404
    assert (
        running.http.post(f"{running.base}/jobs/bulk", json={"action": "burn", "ids": ["a"]}).status_code
        == 422
    )


def test_H28_anothers_course_changes_and_rows_are_not_there(running, site, stranger):
    job = run(running, site)
    for path in (f"jobs/{job['id']}/series", f"jobs/{job['id']}/changes", f"results/{job['id']}?q=a"):
        assert stranger.get(f"{running.base}/{path}").status_code == 404
    own = stranger.post(f"{running.base}/jobs", json={"url": site}).json()
    assert (
        stranger.get(f"{running.base}/jobs/{own['id']}/changes", params={"against": job["id"]}).status_code
        == 404
    )


def test_rows_are_searched(running, site):
    job = run(running, site)

    found = running.http.get(f"{running.base}/results/{job['id']}", params={"q": "PAGE 7"}).json()

    assert [row["data"]["title"] for row in found["results"]] == ["Page 7"]
    assert (found["total"], found["next"]) == (PAGES, None)


def test_H35_a_page_is_looked_at_without_whatever_runs_or_loads(running, hostile):
    shown = running.http.post(f"{running.base}/extract/page", json={"url": hostile}).json()

    assert (shown["error"], shown["status"], shown["engine"], shown["title"]) == (
        None,
        200,
        "http",
        PAYLOADS[0],
    )
    assert "<script" not in shown["html"]
    assert "elsewhere.invalid" not in "".join(shown["css"])
    assert 'class="name"' in shown["html"]


def test_a_page_that_cannot_be_had_says_why(running, site):
    missing = running.http.post(f"{running.base}/extract/page", json={"url": f"{site}/none"}).json()
    denied = running.http.post(f"{running.base}/extract/page", json={"url": "http://169.254.169.254/"}).json()

    assert (missing["html"], missing["error"]["reason"]) == ("", "http_404")
    assert denied["error"]["reason"] == "egress_denied"
    assert (
        running.http.post(f"{running.base}/extract/page", json={"url": "file:///etc/passwd"}).status_code
        == 422
    )


def test_a_sign_in_page_is_told_what_it_may_offer(running):
    assert requests.get(f"{running.base}/auth/welcome").json()["registration"] is True


def test_H38_a_dashboards_session_reads_on_a_budget_of_its_own_and_orders_on_the_users():
    with Service(SCRAPEMASTER_RATE_LIMIT="4/hour", SCRAPEMASTER_DASHBOARD_RATE_LIMIT="10/hour") as service:
        account = {"username": "linus", "password": "a long password"}
        requests.post(f"{service.base}/auth/register", json=account).raise_for_status()
        sessions = []
        for use in ("dashboard", "dashboard", "api"):
            token = requests.post(f"{service.base}/auth/login", json={**account, "use": use}).json()[
                "access_token"
            ]
            sessions.append({"Authorization": f"Bearer {token}"})
        one, two, api = sessions

        def left(headers, method="GET", path="jobs", **body):
            answer = requests.request(method, f"{service.base}/{path}", headers=headers, json=body or None)
            return (
                answer.status_code,
                answer.headers["X-RateLimit-Limit"],
                answer.headers["X-RateLimit-Remaining"],
            )

        assert left(one) == (200, "10", "9")
        assert left(two) == (200, "10", "8")
        assert left(api) == (200, "4", "3")
        assert left(one, "POST", "extract/preview", html="<p>a", selectors={"a": "p::text"}) == (
            200,
            "10",
            "7",
        )
        assert left(one, "POST", url="http://127.0.0.1:9/") == (201, "4", "2")
        for _ in range(7):
            left(two)
        assert left(one)[0] == 429
        assert left(api) == (200, "4", "1")


def test_the_page_and_its_files_are_served_with_a_strict_policy(running):
    root = f"http://127.0.0.1:{running.port}"
    page = requests.get(root)

    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "script-src 'self'; style-src 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    script = next(part for part in page.text.split('"') if part.endswith("app/main.js"))
    answer = requests.get(f"{root}{script}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert requests.get(f"{root}/assets/000000000000/app/main.js").status_code == 404
    assert requests.get(f"{root}{script.replace('main.js', '../../site.py')}").status_code == 404
    frame = requests.get(f"{root}{script.replace('app/main.js', 'frame/frame.html')}")
    assert frame.headers["Content-Security-Policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in frame.headers["Content-Security-Policy"]
    for path in ("/jobs", "/jobs/anything", "/new", "/schedules/x", "/sign-in"):
        assert requests.get(f"{root}{path}").text == page.text
    assert requests.get(f"{root}/nowhere").status_code == 404

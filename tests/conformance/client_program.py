"""The main job by a client that was generated from the OpenAPI document: sign in, create, wait, read, download.

Run with the address of a service, a password of its admin, and the address of the demo shop.
"""

import sys

from scrapemaster_client import AuthenticatedClient, Client
from scrapemaster_client.api.accounts import accounts_login
from scrapemaster_client.api.jobs import jobs_create, jobs_get
from scrapemaster_client.api.results import results_export, results_page
from scrapemaster_client.models import (
    ConfigBody,
    Credentials,
    ExportFormat,
    JobAnswer,
    JobBody,
    JobBodySelectors,
    NewJobAnswer,
    ResultsAnswer,
    TokenAnswer,
)


def main(service: str, password: str, shop: str) -> None:
    """Print what came."""
    with Client(base_url=service) as client:
        token = accounts_login.sync(client=client, body=Credentials("admin", password))
    assert isinstance(token, TokenAnswer)
    with AuthenticatedClient(base_url=service, token=token.access_token) as client:
        selectors = JobBodySelectors.from_dict(
            {"name": "h1.product-title::text", "price": ".detail .price::text"}
        )
        order = JobBody(url=shop, selectors=selectors, config=ConfigBody(follow_links=True, max_pages=20))
        new = jobs_create.sync(client=client, body=order)
        assert isinstance(new, NewJobAnswer)
        job: JobAnswer | NewJobAnswer = new
        while job.finished_at is None:
            now = jobs_get.sync(job.id, client=client, wait=2.0)
            assert isinstance(now, JobAnswer)
            job = now
        page = results_page.sync(job.id, client=client, limit=1000)
        assert isinstance(page, ResultsAnswer)
        file = results_export.sync_detailed(job.id, client=client, format_=ExportFormat.JSON, fields="name")
        assert isinstance(file.parsed, list)
        named = sum("name" in row.data.to_dict() for row in file.parsed)
        sys.stdout.write(f"{job.status.value} {page.total} {len(page.results)} {named}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

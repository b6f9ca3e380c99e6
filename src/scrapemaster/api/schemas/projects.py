"""Scrapy projects."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import UploadFile
from pydantic import Field, StringConstraints

from scrapemaster.api.schemas.base import Answer, Body

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ProjectBody(Body):
    """A version of a project, as a form with a file."""

    project: Name = Field(description="The project's name.", examples=["shop"])
    version: Name = Field(description="The version's name.", examples=["1.0"])
    file: UploadFile = Field(
        description="A wheel, an egg as scrapyd-client builds it, or a zip of the folder that has the project's scrapy.cfg."
    )


class VersionAnswer(Answer):
    """A version of a project."""

    project: str = Field(examples=["shop"])
    version: str = Field(examples=["1.0"])
    spiders: list[str] = Field(description="Its spiders, for `spider` of a job.", examples=[["products"]])
    settings: str = Field(description="The module of its settings.", examples=["shop.settings"])
    checksum: str = Field(description="The archive's SHA-256.", examples=["9f86d081884c7d65"])
    size: int = Field(description="The archive's bytes.", examples=[20_480])
    uploaded_at: datetime
    uploaded_by: str = Field(
        description="The id of the admin who uploaded it.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"]
    )


class ProjectAnswer(Answer):
    """A project: what its latest version has, and which versions there are."""

    project: str = Field(examples=["shop"])
    latest: str = Field(description="The version uploaded last.", examples=["1.0"])
    spiders: list[str] = Field(description="The spiders of that one.", examples=[["products"]])
    versions: list[str] = Field(description="The oldest upload first.", examples=[["0.9", "1.0"]])

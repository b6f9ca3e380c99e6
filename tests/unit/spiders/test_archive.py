"""Archives of projects: what each kind is known by, and what nobody gets past."""

import io
import stat
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.spiders.archive import MOST_FILES, Layout, layout_of, unpack
from servers.spiders import project, zip_of

POINT = "[scrapy]\nsettings = shop.settings\n"
CONFIG = "[settings]\ndefault = shop.settings\n\n[deploy]\nurl = http://localhost/%20\n"


@pytest.mark.parametrize(
    ("files", "layout"),
    [
        ({"EGG-INFO/entry_points.txt": POINT, "shop/settings.py": ""}, Layout("", "shop.settings")),
        ({"shop-1.0.dist-info/entry_points.txt": POINT, "shop/settings.py": ""}, Layout("", "shop.settings")),
        ({"scrapy.cfg": CONFIG, "shop/settings.py": ""}, Layout("", "shop.settings")),
        (
            {"shop-main/scrapy.cfg": CONFIG, "shop-main/shop/settings.py": ""},
            Layout("shop-main", "shop.settings"),
        ),
        ({"shop/settings.py": "", "shop/spiders/one.py": ""}, Layout("", "shop.settings")),
        (
            {"EGG-INFO/entry_points.txt": "[other]\nx = y\n", "scrapy.cfg": CONFIG},
            Layout("", "shop.settings"),
        ),
    ],
    ids=["egg", "wheel", "folder", "folder in a folder", "package alone", "egg with other entry points"],
)
def test_each_kind_of_archive_is_known(files, layout):
    assert layout_of(zip_of(files)) == layout


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README": "hello"},
        {"one/settings.py": "", "two/settings.py": ""},
        {"scrapy.cfg": "[settings]\ndefault = os; import sys\n"},
        {"scrapy.cfg": "no config"},
        {"a/b/scrapy.cfg": CONFIG},
    ],
)
def test_what_is_no_project_is_refused(files):
    with pytest.raises(InvalidInput, match="it is no Scrapy project"):
        layout_of(zip_of(files))


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "C:/x",
        "C:x",
        "a\\..\\x",
        "a//b",
        "./x",
        "a/./b",
        "a\x00b",
        "a\nb",
        "a" * 300,
        "d/" * 600 + "x",
    ],
)
def test_H34_names_that_lead_out_of_the_archive_are_refused(tmp_path, name):
    # The writer cuts names at a NUL, so that one must be put in afterwards.
    data = zip_of({"scrapy.cfg": CONFIG, name.replace("\0", "@"): "x"}).replace(b"a@b", b"a\0b")
    inside = tmp_path / "inside"
    inside.mkdir()

    with pytest.raises(InvalidInput, match="the archive cannot be used"):
        layout_of(data)
    with pytest.raises(InvalidInput, match="the archive cannot be used"):
        unpack(data, inside, 10_000)
    assert list(tmp_path.iterdir()) == [inside]


@given(st.text(min_size=1, max_size=40).filter(lambda name: not name.endswith("/") and "\0" not in name))
@settings(max_examples=150, deadline=None)
def test_H34_whatever_a_file_is_called_it_lands_in_its_folder_or_nowhere(tmp_path_factory, name):
    outside = tmp_path_factory.mktemp("outside")
    inside = outside / "inside"
    inside.mkdir()
    try:
        data = zip_of({name: "x"})
    except (UnicodeEncodeError, ValueError):
        return

    try:
        unpack(data, inside, 10_000)
    except InvalidInput:
        pass
    else:
        (found,) = [path for path in inside.rglob("*") if path.is_file()]
        assert found.relative_to(inside).as_posix() == name
    assert list(outside.iterdir()) == [inside]


def raw_zip(write):
    data = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        write(archive)
    return data.getvalue()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_H34_links_and_devices_are_refused(tmp_path, kind):
    def write(archive):
        member = zipfile.ZipInfo("shop")
        member.create_system = 3
        member.external_attr = (kind | 0o777) << 16
        archive.writestr(member, "/etc")
        archive.writestr("shop/passwd", "x")

    with pytest.raises(InvalidInput, match="is a link or a device"):
        unpack(raw_zip(write), tmp_path, 10_000)
    assert list(tmp_path.iterdir()) == []


def test_H34_a_bomb_stops_at_the_bytes_that_are_allowed(tmp_path):
    data = zip_of({"zeros": bytes(50_000_000)})
    assert len(data) < 100_000

    with pytest.raises(InvalidInput, match="unpacked it has more than 1,000,000 bytes"):
        unpack(data, tmp_path, 1_000_000)
    assert (tmp_path / "zeros").stat().st_size <= 1_000_000


def test_H34_a_size_that_lies_changes_nothing(tmp_path):
    data = bytearray(zip_of({"zeros": bytes(5_000_000)}))
    # The sizes of the local header and of the directory say ten bytes.
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + place
        data[at : at + 4] = (10).to_bytes(4, "little")

    with pytest.raises(InvalidInput):
        unpack(bytes(data), tmp_path, 1_000)


def test_H34_two_files_of_one_name_and_files_in_the_place_of_folders_are_refused(tmp_path):
    def twice(archive):
        archive.writestr("a", "1")
        archive.writestr("a", "2")

    with pytest.raises(InvalidInput, match="twice"):
        unpack(raw_zip(twice), tmp_path, 100)
    with pytest.raises(InvalidInput, match="in the place of another"):
        unpack(zip_of({"a": "1", "a/b": "2"}), tmp_path, 100)


def test_H34_too_many_files_are_refused():
    with pytest.raises(InvalidInput, match="more than 10,000 files"):
        layout_of(zip_of({f"f{number}": "" for number in range(MOST_FILES + 1)}))


@pytest.mark.parametrize("cut", [0, 10, 100, 400])
def test_archives_that_are_broken_off_are_refused(cut):
    with pytest.raises(InvalidInput, match="cannot be read"):
        layout_of(project("walker")[:cut])


def test_a_whole_project_is_unpacked_for_its_owner_alone(tmp_path):
    unpack(project("walker"), tmp_path, 1_000_000)

    assert (tmp_path / "walker/spiders/walk.py").read_bytes().startswith(b'"""Spiders')
    assert stat.S_IMODE((tmp_path / "scrapy.cfg").stat().st_mode) == 0o600

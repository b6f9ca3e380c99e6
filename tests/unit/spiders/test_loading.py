"""Scrapy is loaded where a spider runs, and nowhere else; and where it is not installed, that is said."""

import subprocess
import sys

PROCESSES = "server cli.app worker.crawler worker.fleet fleet_api".split()


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_no_process_but_a_spiders_loads_scrapy():
    imports = "\n".join(f"import scrapemaster.{name}" for name in PROCESSES)

    assert (
        python(
            f"{imports}\nimport sys\nprint(sorted({{'scrapy', 'twisted', 'itemadapter'}} & set(sys.modules)))"
        )
        == "[]"
    )


def test_without_scrapy_an_order_is_refused_with_what_to_install():
    said = python(
        "import sys\n"
        "from scrapemaster.domain.errors import InvalidInput\n"
        "from scrapemaster.services.spider_orders import check_scrapy\n"
        "sys.path[:] = [path for path in sys.path if 'site-packages' not in path]\n"
        "sys.path_importer_cache.clear()\n"
        "try:\n"
        "    check_scrapy()\n"
        "except InvalidInput as error:\n"
        "    print(error, error.where)\n"
    )

    assert said == (
        "spiders need an extra that is not installed: run pip install 'scrapemaster[scrapy]' ('engine',)"
    )

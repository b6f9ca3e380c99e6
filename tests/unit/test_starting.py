import subprocess
import sys


def test_open_files_are_raised_to_what_the_system_allows():
    program = """
import resource
from scrapemaster.starting import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2_000))
print(raise_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE), raise_open_files())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["2000", "2000", "2000", "2000"]

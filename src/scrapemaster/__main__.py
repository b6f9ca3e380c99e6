"""`python -m scrapemaster`."""

from scrapemaster.cli import main

if __name__ == "__main__":
    main()

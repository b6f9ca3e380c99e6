"""The crawl loop: slices of a job, from leased requests to committed rows."""

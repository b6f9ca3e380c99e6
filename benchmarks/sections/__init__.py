"""The sections of the report, one for each workload. Each is measured by a function of `Options`."""

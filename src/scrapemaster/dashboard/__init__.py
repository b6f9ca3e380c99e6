"""The dashboard: a web UI that talks to the public REST API alone."""

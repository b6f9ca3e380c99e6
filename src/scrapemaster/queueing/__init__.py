"""Adapters of the task engine."""

import os

# Docket keeps results by py-key-value, which has all of its own calls checked by type where nobody says no: a sixth of the time in which a process starts.
os.environ.setdefault("PY_KEY_VALUE_DISABLE_BEARTYPE", "true")

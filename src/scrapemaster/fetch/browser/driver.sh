#!/bin/sh
# What Playwright starts in the place of Node.js: the warden, which starts Node.js and sees to it that nothing outlives us.
exec "$WARDEN_PYTHON" -I -S "$(dirname "$0")/warden.py" "$@"

"""Superset on top of the published files: pages as code, access, the server."""

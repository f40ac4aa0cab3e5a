"""Superset's pages as we want them to look: a name and logo of our own, and one column on a phone."""

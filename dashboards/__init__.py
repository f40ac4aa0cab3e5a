"""Publication: SQLite files from the warehouse, and Superset on top of them."""

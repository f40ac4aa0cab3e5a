"""What Superset imports, made from `pages/`, `charts/`, `datasets/` and the serving models' YAML, without a server."""

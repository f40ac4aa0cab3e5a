"""`inventory live`: every stage from the topic to people, continuously and supervised."""

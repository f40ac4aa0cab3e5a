"""What developers start by hand; no part of the product."""

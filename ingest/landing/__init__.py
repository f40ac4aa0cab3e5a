"""From a message or a row of a file to a landed file, and back out again."""

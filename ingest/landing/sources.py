"""Where landed messages came from: a topic by its full name, or a file by its name without folders."""

from __future__ import annotations

from pathlib import Path


def full_topic(topic: str) -> str:
    """A topic's full name: `readings` is `persistent://public/default/readings`."""
    if is_topic(topic):
        return topic
    return f"persistent://{topic}" if topic.count("/") == 2 else f"persistent://public/default/{topic}"


def is_topic(source: str) -> bool:
    """Whether a full name is a topic's; else it is a file's."""
    return "://" in source


def possible_names(source: str) -> list[str]:
    """What the messages of a source may be landed under: a path says a file, a short name a file or a topic."""
    return [Path(source).name, full_topic(source)]

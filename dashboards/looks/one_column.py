"""The positions of a page's charts in one column, for a narrow window.

Superset computes each chart's width from its columns before it draws it. No stylesheet reaches that, so the columns
themselves have to be others.
"""

from __future__ import annotations

from typing import Any

COLUMNS = 12
SMALL = 26  # charts that are no higher are a number; two of them stand beside each other


def one_column(position: dict[str, Any]) -> dict[str, Any]:
    """The same charts, one below the other, each as wide as the page; small tiles in pairs."""
    parts = {name: dict(part) if isinstance(part, dict) else part for name, part in position.items()}
    for name in [name for name in parts if name.startswith("ROW")]:
        row = parts[name]
        lines: list[list[str]] = []
        for child in row["children"]:
            is_small = _is_small(parts[child])
            if is_small and lines and len(lines[-1]) == 1 and _is_small(parts[lines[-1][0]]):
                lines[-1].append(child)
            else:
                lines.append([child])
        (holder,) = [part for part in parts.values() if isinstance(part, dict) and name in part.get("children", [])]
        rows = [f"{name}-{number}" for number, _ in enumerate(lines)]
        place = holder["children"].index(name)
        holder["children"] = [*holder["children"][:place], *rows, *holder["children"][place + 1 :]]
        for new_name, line in zip(rows, lines, strict=True):
            parts[new_name] = row | {"id": new_name, "children": line}
            for child in line:
                parents = [new_name if parent == name else parent for parent in parts[child]["parents"]]
                meta = parts[child]["meta"] | {"width": COLUMNS // len(line)}
                if parts[child]["type"] == "MARKDOWN":  # its text wraps
                    meta["height"] *= 2
                parts[child] |= {"parents": parents, "meta": meta}
        del parts[name]
    return parts


def _is_small(part: dict[str, Any]) -> bool:
    return part["type"] == "CHART" and bool(part["meta"]["height"] <= SMALL) and part["meta"]["width"] <= 4

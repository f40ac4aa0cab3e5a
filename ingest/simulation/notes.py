"""Inventory notes as store staff write them, and labelled anomalous ones among them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ingest.simulation.vocabulary import (
    ABBREVIATIONS,
    CATEGORY_WORDS,
    CLOSINGS,
    CONTACT,
    COUNTS,
    DAMAGE,
    EMPTY,
    FOREIGN,
    INITIALS,
    LOW,
    OPENINGS,
    PEOPLE,
    RECALL,
    RECEIVING,
    RUINED,
    THEFT,
    Words,
)

TYPO_SHARE, SHORTENED_SHARE, SHOUTED_SHARE = 0.25, 0.5, 0.03
KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


class Occasion(NamedTuple):
    """What a note is about: a product at a timestamp, how many are on hand, and how many more than at the reading
    before (`received`, 0 where not more)."""

    store: str
    product: str
    category: str
    timestamp: datetime
    on_hand: int
    received: int


# makes the anomalous note of an occasion from its ordinary one; None where the kind does not fit
Compose = Callable[[Occasion, str, random.Random], "str | None"]


def product_name(product: str, category: str) -> tuple[str, str]:
    """What staff call a product and its variant, always the same for the same product."""
    words = category_words(category)
    number = int(re.sub(r"\D", "", product) or len(product))
    item, variant = number % len(words.items), (number // len(words.items) + 3 * number) % len(words.variants)
    return words.items[item], words.variants[variant]


def category_words(category: str) -> Words:
    """The words of a category, or words that fit anything where the vocabulary lacks it."""
    plain = Words(
        items=(f"{category} item", f"{category} article", f"{category} product"),
        variants=("small", "large", "standard", "new"),
        pieces=("units", "pcs", "boxes"),
        defects=("box torn", "damaged", "label missing"),
        places=("shelf 1", "aisle 4", "back store"),
        remarks=("label ok", "faced up"),
    )
    return CATEGORY_WORDS.get(category, plain)


def plain_note(occasion: Occasion, chance: random.Random) -> str:
    """An ordinary note on a delivery, a count, or something low, empty or damaged. Its number is the reading's."""
    number = occasion.on_hand
    templates: tuple[str, ...]
    if occasion.received > 0 and chance.random() < 0.8:
        number, templates = occasion.received, RECEIVING
    elif occasion.on_hand <= 0:
        templates = EMPTY
    elif occasion.on_hand <= 3 and chance.random() < 0.6:
        templates = LOW
    else:
        templates = DAMAGE if chance.random() < 0.15 else COUNTS
    return _voiced(_filled(chance.choice(templates), occasion, number, chance), chance)


def _filled(template: str, occasion: Occasion, number: int, chance: random.Random) -> str:
    words = category_words(occasion.category)
    person = chance.choice(PEOPLE)
    item, variant = product_name(occasion.product, occasion.category)
    return template.format(
        n=number,
        k=max(chance.randint(4, 30), 1),
        item=f"{item} {variant}" if chance.random() < 0.7 else item,
        pieces=chance.choice(words.pieces),
        place=chance.choice(words.places),
        defect=chance.choice(words.defects),
        remark=chance.choice(words.remarks),
        po=chance.randint(40_000, 99_999),
        person=person,
        phone=f"{chance.choice(['555', '+1 202 555', '(415) 555'])} 01{chance.randint(10, 99)}",
        mail=f"{person.lower().replace(' ', chance.choice('._'))}@example.com",
    )


def _voiced(text: str, chance: random.Random) -> str:
    """The text as typed on a handheld: an opening, abbreviations, typos, a signature. Numbers stay."""
    words = text.split(" ")
    for position, word in enumerate(words):
        short = ABBREVIATIONS.get(word.strip(",.").lower())
        if short and chance.random() < SHORTENED_SHARE:
            words[position] = chance.choice(short) + ("," if word.endswith(",") else "")
    if chance.random() < TYPO_SHARE:
        position = chance.randrange(len(words))
        words[position] = _typo(words[position], chance)
    closing = chance.choice(CLOSINGS).format(initials=chance.choice(INITIALS))
    text = chance.choice(OPENINGS) + " ".join(words) + closing
    if chance.random() < SHOUTED_SHARE:
        return text.upper()
    return text[0].upper() + text[1:] if chance.random() < 0.4 else text


def _typo(word: str, chance: random.Random) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    at = chance.randrange(1, len(word) - 1)
    return chance.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + chance.choice("aeiourstn") + word[at + 1 :],
        )
    )


def _wrong_category(occasion: Occasion, original: str, chance: random.Random) -> str:
    other = chance.choice(sorted(CATEGORY_WORDS.keys() - {occasion.category}))
    strange = occasion._replace(category=other, product=f"P{chance.randint(0, 9999):04d}")
    return plain_note(strange, chance)


def _quantity_mismatch(occasion: Occasion, original: str, chance: random.Random) -> str | None:
    number = str(occasion.received if occasion.received and str(occasion.received) in original else occasion.on_hand)
    wrong = chance.choice([int(number) * 10, int(number) + chance.randint(20, 200), int(number) * 12])
    found = re.search(rf"(?<![\w.]){number}(?![\w.]*\d)", original)
    if int(number) < 1 or not found:
        return None
    return original[: found.start()] + str(wrong) + original[found.end() :]


def _from(templates: tuple[str, ...]) -> Compose:
    def compose(occasion: Occasion, original: str, chance: random.Random) -> str:
        return _voiced(_filled(chance.choice(templates), occasion, max(occasion.on_hand, 1), chance), chance)

    return compose


def _wrong_language(occasion: Occasion, original: str, chance: random.Random) -> str:
    return _filled(chance.choice(FOREIGN), occasion, max(occasion.on_hand, 1), chance)


def _gibberish(occasion: Occasion, original: str, chance: random.Random) -> str:
    def mash() -> str:
        row = chance.choice(KEYBOARD_ROWS)
        return "".join(chance.choice(row) for _ in range(chance.randint(3, 11)))

    kind = chance.randrange(4)
    if kind == 0:
        return " ".join(mash() for _ in range(chance.randint(2, 6)))
    if kind == 1:
        return chance.choice(original[:9].replace(" ", "")) * chance.randint(9, 40)
    if kind == 2:  # text in one encoding, read in another
        return f"{original} “ok” à 100%".encode().decode("cp1252", "replace")
    return f"{original[: chance.randint(3, 12)]} {mash()} {mash()} {chance.choice('#%&=;')}{chance.randint(0, 99)}"


PASTED = "pasted_duplicate"
KINDS: dict[str, Compose | None] = {
    "wrong_category": _wrong_category,
    "quantity_mismatch": _quantity_mismatch,
    "theft": _from(THEFT),
    "damage": _from(RUINED),
    "recall": _from(RECALL),
    "gibberish": _gibberish,
    PASTED: None,  # another product's note; the caller knows the others
    "contact_details": _from(CONTACT),
    "wrong_language": _wrong_language,
}


def anomalous_note(
    kind: str, occasion: Occasion, original: str, others: list[str], chance: random.Random
) -> str | None:
    """The anomalous note that takes the place of `original`; None where there is none of that kind.

    `others` are the latest notes about other products, for one that was pasted.
    """
    compose = KINDS[kind]
    if compose is None:
        return chance.choice(others) if others else None
    injected = compose(occasion, original, chance)
    return None if injected == original else injected

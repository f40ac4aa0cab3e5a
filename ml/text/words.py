"""The words of a text, common English words, and words with which staff remark on stock instead of naming it."""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def folded(text: str) -> str:
    """A text with case, compatible spellings of letters, and runs of spaces made equal."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words_of(folded: str) -> list[str]:
    """The words of a folded text, without numbers."""
    return WORD.findall(folded)


# words that any shop may use; a new shop has no texts to learn them from
COMMON_ENGLISH = """
the a an and of in on at to for from with without by is are was were be been has have had not no all some any
one two three four five six seven eight nine ten this that these those there here we you they it he she who
what when where why how up down out off over under again more most less least last first next new old big
small large little medium mini good bad ok okay please thanks today tomorrow yesterday morning evening night
week month day shift red blue green black white grey pink yellow orange purple brown silver gold cream ivory
clear assorted colour color set pack box boxes case cases bag bags pair piece pieces pcs units unit each
pallet carton tray crate roll bottle jar can tin tube sheet card cards paper plastic metal wooden wood glass
cotton wool leather steel ceramic shelf shelves aisle rack bay back front store stock room count counted
received delivery delivered order ordered supplier customer price label labels sign item items product
products display left only empty full low check checked moved placed return returned sold sale sales returns
invoice office truck van warehouse manager till heart holder light lights candle lamp clock cup mug plate bowl
spoon fork knife towel cushion cover frame picture mirror shirt dress jacket coat jeans socks shoes hat scarf
belt trousers skirt jumper hoodie milk bread butter cheese egg eggs water juice coffee tea sugar rice pasta
sauce oil apple banana tomato potato chicken fish meat chocolate biscuit biscuits cake fresh frozen organic
free range wine beer soap shampoo toy toys doll game games puzzle car train ball bear book books pen pencil
paint kit garden flower christmas birthday party gift vintage retro design style classic travel kitchen
bathroom bedroom home baby kids children girl boy phone charger cable battery speaker keyboard mouse screen
headphones wireless usb power watch camera laptop tablet
"""

# words for what happens to stock; the name of a product has none of them
STAFF_WORDS = {
    "damage": """
        damage damages damaged dmg broken breakage breakages broke crushed cracked wet mouldy moldy rusty rust leaking
        faulty defective unsaleable unsellable spoiled spoilt expired rotten torn smudged discarded scrapped scrap
        dispose disposed written-off writeoff
    """,
    "a disaster": """
        disaster destroyed flood flooded flooding fire smoke burnt burned ruined smashed collapsed soaked forklift roof
        storm binned
    """,
    "missing stock": """
        lost missing mia unaccounted vanished disappeared gone short shortage shrinkage
    """,
    "theft": """
        stolen theft thief thieves shoplifting shoplifter shoplifters stole robbed robbery pilferage cctv police
    """,
    "a recall": """
        recall recalled unsafe hazard hazardous allergen allergens contaminated contamination quarantine quarantined
        withdrawn safety
    """,
    "a correction": """
        check checked recheck wrong wrongly incorrect incorrectly error mistake oops adjust adjusted adjustment
        adjustments readjustment found counted recount miscounted mixed mixup mislabelled mislabeled miscoded coded
        credited creditted credit reverse reversed reversal test temp barcode barcodes thrown throw given returned
        allocate allocated unknown mystery sold rcvd entry samples sample showroom mailout marked
        amazon ebay dotcom fba website
    """,
}

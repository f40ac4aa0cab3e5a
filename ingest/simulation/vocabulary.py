"""Words of store staff: what products are called, what happens to them, and how it is put down in a hurry."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """A category's own words. `items` are joined with one of the `variants` to a product's name."""

    items: tuple[str, ...]
    variants: tuple[str, ...]
    pieces: tuple[str, ...]  # what one counts them in
    defects: tuple[str, ...]
    places: tuple[str, ...]
    remarks: tuple[str, ...]


CATEGORY_WORDS = {
    "Electronics": Words(
        items=(
            "wireless mouse", "usb-c charger", "bluetooth speaker", "noise cancelling headphones", "hdmi cable",
            "phone case", "power bank", "webcam", "gaming keyboard", "smart plug", "tablet 10in", "ssd 1tb",
            "led monitor", "router", "electric toothbrush", "action camera", "smart watch", "memory card 64gb",
            "laptop sleeve", "earbuds",
        ),
        variants=("black", "white", "silver", "blue", "pro", "mini", "gen 2", "v3"),
        pieces=("units", "pcs", "boxes"),
        defects=("screen cracked", "won't power on", "missing charger", "seal broken", "box crushed", "port bent"),
        places=("locked cabinet", "endcap 3", "cage", "demo table", "aisle 12", "counter shelf"),
        remarks=("serials logged", "display unit still on demo", "security tags on", "new firmware sticker on box"),
    ),
    "Clothing": Words(
        items=(
            "slim jeans", "crew neck t-shirt", "hoodie", "rain jacket", "wool scarf", "ankle socks 3pk", "summer dress",
            "polo shirt", "chinos", "cardigan", "leggings", "winter coat", "pyjama set", "baseball cap", "belt",
            "linen shirt", "swim shorts", "denim skirt", "thermal vest", "trainers",
        ),
        variants=("navy M", "black L", "grey S", "white XL", "red 38", "olive 40", "beige M", "striped L"),
        pieces=("pcs", "hangers", "units"),
        defects=("seam ripped", "zip stuck", "makeup stain", "button missing", "faded on the rack", "hole in sleeve"),
        places=("rail 4", "fitting room rack", "front table", "wall bay 2", "stockroom hang rail", "mens dept"),
        remarks=("sizes sorted", "steamed and hung", "tags redone", "size curve is off, mostly XL left"),
    ),
    "Grocery": Words(
        items=(
            "whole milk 1l", "sourdough bread", "cherry tomatoes", "ground coffee 500g", "olive oil", "greek yoghurt",
            "basmati rice 1kg", "free range eggs 12", "cheddar block", "orange juice", "frozen peas", "spaghetti 500g",
            "dark chocolate", "chicken breast", "bananas", "oat drink", "baked beans", "butter 250g", "apple sauce",
            "sparkling water 6pk",
        ),
        variants=("own brand", "organic", "family pack", "value", "premium", "lactose free", "low fat", "promo pack"),
        pieces=("cases", "units", "pcs", "trays"),
        defects=("past date", "leaking", "mouldy", "dented tin", "broken jar", "temp too warm on arrival"),
        places=("chiller 2", "dry goods aisle 5", "freezer", "end of aisle 7", "produce table", "back cold room"),
        remarks=("rotated, oldest to front", "use by friday", "temp 4C ok", "shelf label updated"),
    ),
    "Toys": Words(
        items=(
            "building blocks 500pc", "plush bear", "race car set", "jigsaw 1000pc", "doll house", "water blaster",
            "board game", "modelling clay", "toy kitchen", "rc drone", "train set", "card game", "bubble machine",
            "action figure", "wooden puzzle", "dinosaur set", "kids scooter", "magic kit", "marble run", "kite",
        ),
        variants=("red", "pink", "deluxe", "starter", "XL", "junior", "travel size", "2-4 yrs"),
        pieces=("boxes", "pcs", "units"),
        defects=("box torn", "piece missing", "wheel came off", "battery leaked", "blister open", "squeaker broken"),
        places=("toy wall", "aisle 9", "top stock", "seasonal bay", "checkout clip strip", "pallet in back"),
        remarks=("try-me packs work", "kids opened two on the shelf", "party season stock", "age labels ok"),
    ),
    "Home": Words(
        items=(
            "bath towel", "scented candle", "frying pan 28cm", "storage basket", "cushion cover", "table lamp",
            "wine glasses 6pk", "duvet double", "shower curtain", "kitchen scale", "picture frame A4", "doormat",
            "laundry bin", "cutlery set", "plant pot", "wall clock", "ironing board", "tea kettle", "rug 120x170",
            "bed sheet set",
        ),
        variants=("white", "grey", "oak", "sage green", "copper", "set of 2", "large", "natural"),
        pieces=("units", "pcs", "sets"),
        defects=("chipped", "handle loose", "glass broken", "scratched", "torn packaging", "wobbly leg"),
        places=("aisle 15", "bay 6", "mezzanine", "bedding wall", "clearance table", "back store rack C"),
        remarks=("display set built", "heavy, two people lift", "colour batch differs slightly", "planogram done"),
    ),
}  # fmt: skip

RECEIVING = (
    "received {n} {pieces} of {item}, {remark}",
    "delivery in: {n}x {item}, put away in {place}",
    "{n} {item} arrived with the morning truck, {remark}",
    "recd {n} {item} po {po} ok",
    "unloaded {n} {pieces} {item} from supplier delivery, all good",
    "{item} - {n} in from dc, po {po}, checked against the slip",
    "goods in {item} {n} {pieces}. {place} is full, rest in back",
    "got {n} {item} today, one box open but complete",
    "booked in {n} of {item}. {remark}",
    "{n} new {item} on the {place} now",
    "pallet had {n} {item}, slip says the same",
    "restock: {item} {n} {pieces}, faced up",
)
COUNTS = (
    "counted {item}, {n} on shelf and in back",
    "cycle count {item}: {n}",
    "shelf plus back = {n} {item}, {remark}",
    "{item} count {n} {pieces}, matches the screen",
    "evening count, {n} x {item} in {place}",
    "did {place}, {item} is {n}",
    "stock check {item} - system and shelf both {n}",
    "{n} {item} on hand after close",
    "recounted {item} twice, {n} both times",
    "{item}: {n} left, {remark}",
    "gap scan ok, {n} {pieces} of {item}",
    "customer asked for {item}, we have {n}",
)
LOW = (
    "only {n} {item} left, please reorder",
    "{item} nearly out, {n} on the peg",
    "low on {item} ({n}), next delivery?",
    "last {n} {item}, moved to the front of {place}",
)
EMPTY = (
    "{item} sold out, empty spot in {place}",
    "no {item} left on shelf or in back",
    "zero {item}, put the sorry card up",
    "out of {item} since this afternoon, customers asking",
)
DAMAGE = (
    "1 {item} {defect}, set aside for return. {n} good ones left",
    "found {item} with {defect}, marked down. {n} on hand",
    "customer brought back {item}, {defect}. not resellable, stock {n}",
    "{item}: one {defect}, written off. count now {n}",
    "threw one {item} ({defect}), {n} remain in {place}",
    "one {item} {defect}, photo sent to supplier, {n} left",
)
THEFT = (
    "{k} {item} gone, found the empty packaging in fitting room",
    "shoplifting: two men took {k} {item}, police called",
    "security tags cut off, {k} x {item} stolen from {place}",
    "{item} stolen again, {k} missing since the last count, cctv saved",
    "think someone is walking out with {item}, {k} short and no sales",
)
RUINED = (
    "water came through the roof, {k} {item} ruined",
    "forklift went into the pallet, {k} {item} smashed",
    "freezer failed over night, had to bin {k} {item}",
    "whole stack of {item} fell, {k} destroyed, aisle closed",
    "smoke damage in back store, {k} {item} can't be sold",
)
RECALL = (
    "supplier recall on {item}, pulled all {n} from sale",
    "product safety notice: stop selling {item}, batch {po}, {n} quarantined in back",
    "recall {item}! fire risk, {n} off the shelf, sign at till",
    "head office says take {item} off sale, allergen not on label. {n} boxed up",
)
CONTACT = (
    "customer wants a call back about {item}, {person} {phone}",
    "hold 1 {item} for {person}, mail {mail}",
    "refund for {item}: {person}, {phone}, card ending 4417",
    "deliver {item} to {person}, 14 Mill Lane, ring {phone}",
    "{person} complained about {item}, answer to {mail} please",
)
FOREIGN = (
    "{n} Stück {item} gezählt, Regal ist aufgefüllt",
    "Lieferung angekommen, {n} Kartons, zwei davon beschädigt",
    "Bitte nachbestellen, es sind nur noch {n} da",
    "se recibieron {n} unidades, falta revisar la caja",
    "quedan {n} en el estante, por favor pedir más",
    "il reste {n} pièces en rayon, commande à passer demain",
    "livraison reçue ce matin, {n} cartons rangés en réserve",
    "przyjęto {n} sztuk, reszta jutro rano",
    "na półce zostało {n} sztuk, proszę zamówić",
    "contati {n} pezzi, lo scaffale è quasi vuoto",
    "aantal geteld: {n}, de rest staat in het magazijn",
    "{n} adet var, depoda yok",
)
OPENINGS = (*[""] * 12, "hi, ", "fyi ", "note: ", "am shift: ", "update - ", "ok so ", "quick one: ")
CLOSINGS = (
    "",
    "",
    "",
    "",
    "",
    " thx",
    " - {initials}",
    " /{initials}",
    ", will recheck tmrw",
    " ok",
    "!!",
    " pls check",
)
ABBREVIATIONS = {
    "received": ("rcvd", "recd", "recieved"),
    "delivery": ("dlvry", "del.", "delivry"),
    "customer": ("cust", "custmer"),
    "please": ("pls", "plz"),
    "with": ("w/", "wth"),
    "quantity": ("qty",),
    "counted": ("cntd", "counted"),
    "count": ("cnt", "ct"),
    "supplier": ("suppl.", "vendor"),
    "packaging": ("pkg", "packging"),
    "morning": ("am", "mornin"),
    "afternoon": ("pm", "aftn"),
    "against": ("vs", "agst"),
    "missing": ("msng", "missin"),
    "returned": ("rtn",),
    "return": ("rtn", "retrun"),
    "stock": ("stk", "stock"),
    "back": ("bk", "back"),
}
INITIALS = ("mk", "JD", "tp", "Sam", "ALR", "bg", "kw", "Nina", "h.s.", "oz")
PEOPLE = ("Anna Meyer", "Tom Fisher", "Priya Nair", "Luis Ortega", "Claire Dubois", "Mark Jensen", "Eva Novak")

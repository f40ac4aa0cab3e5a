"""CSV and its kin as shops and their software write them."""

import pytest

from tests.unit.ingest.landing.loading import HEADER, load_bytes, load_file, load_text

TIME = "2026-01-01T00:00:00Z"
SEMICOLONS = HEADER.replace(",", ";")


def lines(*rows: str, end: str = "\n") -> str:
    return end.join(rows) + end


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.csv", f"{SEMICOLONS}\nP1;Toys, small;East;5;9,5;{TIME}\n"),
        ("e.csv", f"sep=;\n{SEMICOLONS}\nP1;Toys, small;East;5;9,5;{TIME}\n"),
        ("e.csv", f"{HEADER.replace(',', '|')}\nP1|Toys, small|East|5|9.5|{TIME}\n"),
        ("e.tsv", f"{HEADER.replace(',', chr(9))}\nP1\tToys, small\tEast\t5\t9.5\t{TIME}\n"),
        ("e.txt", f"{HEADER.replace(',', chr(9))}\nP1\tToys, small\tEast\t5\t9.5\t{TIME}\n"),
        ("e.csv", f'{HEADER.replace(",", ", ")}\nP1, "Toys, small", East, 5, 9.5, {TIME}\n'),
        ("e.csv", f'{HEADER}\r"P1","Toys, small","East","5","9.5","{TIME}"\r'),
        (
            "e.csv",
            f'{HEADER}\r\n="P1",="Toys, small",East,="5",9.5,{TIME}\r\n'.replace(
                '="Toys, small"', '"=""Toys, small"""'
            ),
        ),
    ],
    ids=["semicolon", "sep line", "bar", "tab", "txt", "spaced", "classic line ends", "guarded"],
)
def test_dialects(tmp_path, name, text):
    loaded = load_text(tmp_path, name, text)
    assert [list(row.values())[6:11] for row in loaded.rows] == [["P1", "Toys, small", "East", 5, 9.5]], loaded.output


@pytest.mark.parametrize(
    ("encoding", "raw_encoding", "options", "message"),
    [
        ("utf-8-sig", "utf-8", (), ""),
        ("utf-16", "utf-16-le", (), "UTF-16-LE"),
        ("utf-16-be", "utf-16-be", (), "UTF-16-BE"),
        ("utf-16-le", "utf-16-le", ("--encoding", "utf-16"), ""),
        ("utf-16-le", "utf-16-le", (), "UTF-16-LE"),
        ("utf-32", "utf-32-le", (), "UTF-32-LE"),
        ("utf-32-be", "utf-32-be", (), "UTF-32-BE"),
        ("utf-32-le", "utf-32-le", ("--encoding", "utf-32"), ""),
        ("windows-1252", "windows-1252", (), "Windows-1252"),
        ("windows-1252", "windows-1252", ("--encoding", "cp1252"), ""),
        ("cp850", "cp850", ("--encoding", "cp850"), ""),
    ],
)
def test_encodings(tmp_path, encoding, raw_encoding, options, message):
    broken = f"P2;Süßes;Köln;viele;9,5;{TIME}"
    text = lines(SEMICOLONS, f"P1;Süßes;Köln;5;9,5;{TIME}", broken, end="\r\n")
    loaded = load_bytes(tmp_path, "e.csv", text.encode(encoding), *options)
    assert loaded.column("store_location") == ["Köln"]
    assert message in loaded.output
    assert [(row["entry_id"], row["raw"]) for row in loaded.bad] == [(3, broken.encode(raw_encoding))]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("first", ["Aé", "A商品", "商品"])
def test_wide_encodings_need_no_mark_whatever_the_first_letters_are(tmp_path, encoding, first):
    text = lines(f"{first},{HEADER}", f"1,P1,Toys,上海,5,9.5,{TIME}")
    loaded = load_bytes(tmp_path, "e.csv", text.encode(encoding))
    assert loaded.column("store_location") == ["上海"], loaded.output


@pytest.mark.parametrize("name", ["hex", "rot13", "base64", "zlib", "punycode", "undefined", "klingon"])
@pytest.mark.parametrize("file", ["e.csv", "e.ndjson"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path, name, file):
    loaded = load_text(tmp_path, file, lines(HEADER, f"P1,Toys,East,5,9.5,{TIME}"), "--encoding", name)
    assert loaded.exit_code == 1
    assert f"no encoding of text is named {name}. Say --encoding utf-8, " in loaded.output
    assert len(loaded.output.splitlines()) == 1


@pytest.mark.parametrize("broken", ["P2\0,Toys,East,5,9.5," + TIME, "P2,Toys,East,\0" + "5,9.5," + TIME, "\0" * 500])
@pytest.mark.parametrize("place", [0, 1])
def test_a_nul_costs_its_line_only_wherever_it_stands(tmp_path, broken, place):
    rows = [f"P1,Toys,Köln,5,9.5,{TIME}"]
    rows.insert(place, broken)
    for encoding in ("utf-8", "windows-1252"):
        folder = tmp_path / encoding
        folder.mkdir()
        loaded = load_bytes(folder, "e.csv", lines(HEADER, *rows).encode(encoding))
        assert loaded.column("store_location") == ["Köln"], loaded.output
        assert [(row["entry_id"], row["raw"]) for row in loaded.bad] == [(place + 2, broken.encode())]


def test_what_is_ambiguous_is_not_guessed(tmp_path):
    cyrillic = lines(HEADER, f"P1,Игрушки,Москва,5,9.5,{TIME}").encode("windows-1251")
    loaded = load_bytes(tmp_path, "e.csv", cyrillic)
    assert loaded.exit_code == 1
    assert "--encoding" in loaded.output
    assert not loaded.rows
    assert load_bytes(tmp_path, "e.csv", cyrillic, "--encoding", "windows-1251").column("store_location") == ["Москва"]


def test_a_damaged_line_of_utf8_is_quarantined_alone(tmp_path):
    text = lines(HEADER, f"P1,Süßes,Köln,5,9.5,{TIME}", f"P2,S\udcfc\udcdfes,East,5,9.5,{TIME}")
    loaded = load_bytes(tmp_path, "e.csv", text.encode("utf-8", "surrogateescape"))
    assert loaded.column("product_id") == ["P1"]
    assert loaded.bad[0]["error"].startswith("not_utf8: ")
    assert loaded.bad[0]["raw"] == f"P2,S\udcfc\udcdfes,East,5,9.5,{TIME}".encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("broken", ['P1,"Toys,East,5,9.5,' + TIME, 'P1,Toys,East,5,9.5,"' + TIME])
def test_an_unclosed_quote_costs_its_line_only(tmp_path, broken):
    others = [f"P{number},Toys,East,{number},9.5,{TIME}" for number in range(490)]
    loaded = load_text(tmp_path, "e.csv", lines(HEADER, broken, *others))
    assert len(loaded.good) == 490
    assert [(row["entry_id"], row["raw"]) for row in loaded.bad] == [(2, broken.encode())]
    assert loaded.bad[0]["error"].startswith("not_csv: a quote is not closed")


def test_an_unclosed_quote_before_quoted_rows_costs_its_line_only(tmp_path):
    rows = [f'P{number},"Toys, small",East,{number},9.5,{TIME}' for number in range(5)]
    loaded = load_text(tmp_path, "e.csv", lines(HEADER, rows[0], f'P9,"Toys,East,5,9.5,{TIME}', *rows[1:]))
    assert loaded.column("quantity") == list(range(5))
    assert [row["entry_id"] for row in loaded.bad] == [3]


def test_a_value_that_is_too_long_costs_its_line_only(tmp_path):
    row = f"P1,Toys,East,5,9.5,{TIME}"
    loaded = load_text(tmp_path, "e.csv", lines(HEADER + ",note", f"{row},{'x' * 200_000}", row + ","))
    assert len(loaded.good) == 1
    reason = "a value is longer than 131,072 characters, or a quote before it is not closed"
    assert [row["error"] for row in loaded.bad] == [f"not_csv: {reason}"]


@pytest.mark.parametrize("first", ["x" * 200_000, HEADER + "," + "x" * 200_000, '"Stock on hand'])
def test_a_first_line_that_cannot_be_read_is_named(tmp_path, first):
    loaded = load_text(tmp_path, "e.csv", lines(first, HEADER, *[f"P1,Toys,East,5,9.5,{TIME}"] * 500))
    assert loaded.exit_code == 1
    assert "e.csv: row 1 names no columns: a" in loaded.output
    assert not loaded.rows


def test_a_value_over_several_lines_is_one_value(tmp_path):
    loaded = load_text(
        tmp_path,
        "e.csv",
        lines(HEADER + ",note", f'P1,Toys,East,5,9.5,{TIME},"top\nshelf, ""A"""', f"P2,Toys,East,6,1,{TIME},"),
    )
    assert [(row["entry_id"], row["extra"]) for row in loaded.rows] == [
        (2, '{"note":"top\\nshelf, \\"A\\""}'),
        (4, None),
    ]


def test_ghost_rows_and_repeated_headers_are_passed_over(tmp_path):
    loaded = load_text(
        tmp_path,
        "e.csv",
        lines(HEADER, f"P1,Toys,East,5,9.5,{TIME}", HEADER, f"P2,Toys,East,6,9.5,{TIME}", *[",,,,,"] * 1000),
    )
    assert [row["entry_id"] for row in loaded.rows] == [2, 4]
    assert "1,000 empty rows" in loaded.output
    assert "1 repeated headers" in loaded.output


@pytest.mark.parametrize(
    "above",
    [
        ["Stock on hand"],
        ["Stock, Main Street;;;;;", ";;;;;", "Printed: 20.11.2026;"],
        ['"sep=;"'],
        ['"Stock;', 'of today"'],
    ],
)
def test_a_title_above_the_header_is_passed_over(tmp_path, above):
    row, broken = f"P1;Toys;East;5;9,5;{TIME}", f"P2;Toys;East;x;9,5;{TIME}"
    loaded = load_text(tmp_path, "e.csv", lines(*above, SEMICOLONS, row, broken))
    assert [one["entry_id"] for one in loaded.good] == [len(above) + 2], loaded.output
    assert f"its columns are named in row {len(above) + 1}; what stands above is passed over" in loaded.output


def test_columns_without_a_name_are_kept_by_their_place(tmp_path):
    row = f"P1,Toys,East,5,9.5,{TIME}"
    loaded = load_text(tmp_path, "e.csv", lines(f",{HEADER},,", f"0,{row},,", f"1,{row}", f",{row},x,"))
    assert loaded.column("extra") == ['{"column 1":"0"}', '{"column 1":"1"}', '{"column 8":"x"}']


def test_columns_of_one_name_are_told_apart_by_their_places(tmp_path):
    row = f"P1,Toys,East,5,9.5,{TIME}"
    text = lines(HEADER + ",note,note,", f"{row},a,b,", HEADER + ",note,note,", f"{row},c,,d")
    loaded = load_text(tmp_path, "e.csv", text)
    assert loaded.column("extra") == [
        '{"note (column 7)":"a","note (column 8)":"b"}',
        '{"note (column 7)":"c","column 9":"d"}',
    ]
    assert "1 repeated headers" in loaded.output
    source = lines(HEADER + ",quantity", f"{row},7")
    chosen = load_text(tmp_path, "f.csv", source, "--columns", 'quantity="quantity (column 7)"')
    assert chosen.column("quantity")[-1:] == [7]


def test_apostrophes_that_keep_spreadsheets_from_reading_are_dropped(tmp_path):
    rows = [f"{product},Toys,'s Hage,5,9.5,{TIME}" for product in ("'0012", "'=12", "'+4", "'", "x'1", "''1")]
    loaded = load_text(tmp_path, "e.csv", lines(HEADER, *rows))
    assert loaded.column("product_id") == ["0012", "=12", "+4", "'", "x'1", "''1"]
    assert set(loaded.column("store_location")) == {"'s Hage"}


def test_a_formula_that_failed_names_nothing(tmp_path):
    rows = [
        f"{product},Toys,{store},5,9.5,{TIME}" for product, store in [("#NV", "East"), ("P2", "#REF!"), ("#1", "#A")]
    ]
    loaded = load_text(tmp_path, "e.csv", lines(HEADER, *rows, f"P4,Toys,East,#DIV/0!,9.5,{TIME}"))
    assert loaded.column("product_id") == ["#1"]
    assert [row["error"] for row in loaded.bad] == [
        "wrong_type: product_id: the cell shows #NV",
        "wrong_type: store_location: the cell shows #REF!",
        "wrong_type: quantity: the cell shows #DIV/0!",
    ]


def test_columns_may_differ_from_ours_in_upper_and_lower_case(tmp_path):
    row = f"P1,Toys,East,5,9.5,{TIME}"
    names = HEADER.replace("product_id", "Product_ID").replace("quantity", "QUANTITY")
    loaded = load_text(tmp_path, "e.csv", lines(names + ",Shelf", row + ",top", "Total,,,5,,,"))
    assert [(one["product_id"], one["quantity"], one["extra"]) for one in loaded.good] == [("P1", 5, '{"Shelf":"top"}')]
    assert [one["error"].partition(":")[0] for one in loaded.bad] == ["total_line"]
    assert load_file(tmp_path / "e.csv", tmp_path / "data").output.endswith("all of it was landed before\n")
    exact = load_text(tmp_path, "f.csv", lines(HEADER + ",Quantity", row + ",7"))
    assert exact.column("quantity")[-1:] == [5]
    doubtful = load_text(tmp_path, "g.csv", lines(names + ",Quantity", row + ",7"))
    assert doubtful.exit_code == 1
    assert "the header lacks product_id, quantity" in doubtful.output


@pytest.mark.parametrize("between", [" ", "  ", "-", "\u00a0"])
def test_columns_may_differ_from_ours_in_what_is_between_words(tmp_path, between):
    loaded = load_text(tmp_path, "e.csv", lines(HEADER.title().replace("_", between), f"P1,Toys,East,5,9.5,{TIME}"))
    assert loaded.column("product_id") == ["P1"], loaded.output


def test_ragged_rows_are_quarantined_unless_what_is_over_is_empty(tmp_path):
    good = f"P1,Toys,East,5,9.5,{TIME}"
    loaded = load_text(tmp_path, "e.csv", lines(HEADER, good + ",,", good + ",x", "P1,Toys,East"))
    assert len(loaded.good) == 1
    assert [row["error"] for row in loaded.bad] == [
        "not_csv: expected 6 values, got 7",
        "not_csv: expected 6 values, got 3",
    ]


@pytest.mark.parametrize("total", ["Total,,,11,,", ",,Gesamt:,11,,", "Grand total,,,11,19.00,"])
def test_a_total_is_no_reading(tmp_path, total):
    rows = [f"P1,Toys,East,5,9.5,{TIME}", f"Total war,Games,East,6,9.5,{TIME}", total]
    loaded = load_text(tmp_path, "e.csv", lines(HEADER, *rows))
    assert loaded.column("product_id") == ["P1", "Total war"]
    assert loaded.bad[0]["error"] == "total_line: it sums other rows up and is no reading"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "\n", "holds no rows"),
        (HEADER + "\n,,,,,\n", "holds no rows"),
        ("\n\n", "holds no rows"),
        (HEADER + ",quantity\nx,x,x,1,1,x,1\n", """--columns 'quantity="quantity (column 4)"'"""),
        ("sku,qty\n1,2\n", "lacks product_id"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, text, message):
    loaded = load_text(tmp_path, "e.csv", text)
    assert loaded.exit_code == 1
    assert message in loaded.output
    assert not loaded.rows


def prices(tmp_path, *texts, options=()):
    rows = [f"P1;Toys;East;5;{price};{TIME}" for price in texts]
    return load_text(tmp_path, "e.csv", lines(SEMICOLONS, *rows), *options)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1.000", "2,5"], [1000, 2.5]),
        (["1.000", "0.5"], [1, 0.5]),
        (["1.000", "0.500"], [1, 0.5]),
        (["1,000", "1,000,000.5"], [1000, 1000000.5]),
        (["1.000", "1.000.000"], [1000, 1000000]),
        (["1 234,5", "1'234,25", "-3"], [1234.5, 1234.25, -3]),
        (["1\u00a0234.5", "1\u202f234", "+3."], [1234.5, 1234, 3]),
        (["1e3", "1.5E-1", ""], [1000, 0.15, None]),
        (["1,23,456", "12,34,567.5", "1,000"], [123456, 1234567.5, 1000]),
        (["12-", "(12)", "( 1.234,5 )", "1.234,50 -", "- 12,5"], [-12, -12, -1234.5, -1234.5, -12.5]),
    ],
)
def test_numbers_are_read_as_the_file_writes_them(tmp_path, texts, expected):
    assert prices(tmp_path, *texts).column("price") == expected


@pytest.mark.parametrize(
    ("currency", "texts"),
    [
        ("", ["€ 9,50", "9,50 €", "9,50€", "EUR 9,50", "9,5\u00a0EUR"]),
        ("USD", ["$9.50", "US$9.50", "USD 9.50", "9.50 USD"]),
        ("CAD", ["$9.50"]),
        ("CHF", ["Fr. 9.50", "CHF 9.50"]),
        ("SEK", ["9,50 kr"]),
    ],
)
def test_a_price_may_name_its_currency(tmp_path, monkeypatch, currency, texts):
    monkeypatch.setenv("INVENTORY_CURRENCY", currency)
    assert prices(tmp_path, *texts).column("price") == [9.5] * len(texts)


def test_a_price_in_another_currency_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setenv("INVENTORY_CURRENCY", "EUR")
    loaded = prices(tmp_path, "-€1.234,50", "$9,50", "9,50 CHF", "5 Stk", "1.000 €")
    assert loaded.column("price") == [-1234.5, 1000]
    assert [row["error"] for row in loaded.bad] == [
        "wrong_currency: price: $ is not EUR, as INVENTORY_CURRENCY says",
        "wrong_currency: price: CHF is not EUR, as INVENTORY_CURRENCY says",
        "wrong_type: price: '5 Stk' is no number with a decimal comma (--decimal says otherwise)",
    ]


@pytest.mark.parametrize(
    "text",
    ["1,2,345", "1,23,45", "123,45,678", "-12-", "(-12)", "(12", "12)", "()", "-", "1-2", "(12)-", "--12", "12-5"],
)
def test_what_is_no_number_is_rejected(tmp_path, text):
    loaded = prices(tmp_path, "5", text)
    assert loaded.column("price") == [5]
    assert loaded.bad[0]["error"] == f"wrong_type: price: {text!r} is no number"


@pytest.mark.parametrize(
    "text",
    ["9" * 5000, "1." + "9" * 5000, "9" * 5000 + "-", "1 " * 5000, "9" * 5000 + "€"],
    ids=["whole", "decimals", "negative", "spaced", "currency"],
)
@pytest.mark.parametrize("field", ["quantity", "price", "event_timestamp"])
def test_thousands_of_digits_cost_their_line_only(tmp_path, text, field):
    good = {"quantity": "5", "price": "9,5", "event_timestamp": TIME}
    rows = [";".join(["P1", "Toys", "East", *values.values()]) for values in (good | {field: text}, good)]
    loaded = load_text(tmp_path, "e.csv", lines(SEMICOLONS, *rows))
    assert loaded.column("quantity") == [5]
    assert loaded.bad[0]["error"].startswith(f"wrong_type: {field}: ")


def test_a_number_that_may_be_two_is_refused_until_somebody_says_which(tmp_path):
    loaded = prices(tmp_path, "5", "1.000")
    assert loaded.exit_code == 1
    assert "1.000 in row 3" in loaded.output
    assert "--decimal" in loaded.output
    assert not loaded.rows
    assert prices(tmp_path, "5", "1.000", options=("--decimal", "comma")).column("price") == [5, 1000]


def test_numbers_that_contradict_each_other_are_refused(tmp_path):
    loaded = prices(tmp_path, "9.5", "1.234,5")
    assert loaded.exit_code == 1
    assert "9.5 in row 2, but 1.234,5 in row 3" in loaded.output
    loaded = prices(tmp_path, "9,5", "8.5", options=("--decimal", "comma"))
    assert loaded.column("price") == [9.5]
    assert (
        loaded.bad[0]["error"]
        == "wrong_type: price: '8.5' is no number with a decimal comma (--decimal says otherwise)"
    )


def quantities(tmp_path, *texts, options=()):
    rows = [f"P1,Toys,East,{quantity},8.0,{TIME}" for quantity in texts]
    return load_text(tmp_path, "e.csv", lines(HEADER, *rows), *options)


def test_fractional_quantities_are_counted_in_parts(tmp_path):
    loaded = quantities(tmp_path, "1.25", "2")
    assert loaded.column("quantity") == [2]
    assert loaded.bad[0]["error"].startswith("fractional_quantity: quantity: 1.25 is not whole; --quantity-scale")


def test_the_price_follows_the_scale_so_that_values_stay(tmp_path):
    loaded = quantities(tmp_path, "1.25", "2", "0.0001", options=("--quantity-scale", "1000"))
    assert [(row["quantity"], row["price"]) for row in loaded.good] == [(1250, 0.008), (2000, 0.008)]
    assert "0.0001 times 1000 is not whole" in loaded.bad[0]["error"]

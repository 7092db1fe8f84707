"""`purposeguard show`: one policy, four forms, each saying the same."""

import html
import json
import re
from html.parser import HTMLParser

import pytest
from command_line import BAD, BAD_PLACES, SMALL, refused, run, spawn

from purposeguard import Access, Reason, bundled_policy
from purposeguard.cli.sheet.content import Kind, sheet_of
from purposeguard.policy.decide import decide
from purposeguard.policy_file import parse_policy

POLICIES = {"smarthr": bundled_policy("smarthr"), "small": parse_policy(SMALL)}
HOSTILE = """<script>alert('x')</script> "><img src=x onerror=y> {{ 7*7 }} [red]| :smile: `a` *b*"""
EVIL = SMALL.replace("title: Hiring}", f"title: {json.dumps(HOSTILE)}}}").replace(
    "[A1]", f"[{json.dumps('<b>&|`1`')}]"
)
WIDE = f"""\
purposeguard: 1
policy: wide
version: "1"
purposes:
  lone: {{title: Alone}}
  many: {{title: Many}}
{"".join(f"  many.p{number}: {{title: One of many}}{chr(10)}" for number in range(19))}
categories:
  person: {{title: People, items: [name]}}
matrix:
  person:
    lone:
      clauses: [W]
      retention: {{period: P30D, counted_from: contract_end}}
grounds:
  none_yet: {{title: Lifts nothing, clauses: [W2]}}
...
"""
"""One group of 19 purposes, more than a printed page is wide; a period on a cell; no requests."""

EXPECTED = {
    Kind.PROHIBITED: Reason.PROHIBITED,
    Kind.NONE: Reason.NOT_GRANTED,
    Kind.GRANTED: Reason.GRANTED,
    Kind.CONDITIONAL: Reason.EVIDENCE_UNAVAILABLE,
    Kind.ONLY_TO: Reason.RECIPIENT_NOT_LISTED,
}


@pytest.fixture
def shown(tmp_path):
    """Return a policy in a form."""

    def show(name, form, **more):
        file = name
        if name != "smarthr":
            file = tmp_path / f"{name}.yaml"
            file.write_text({"small": SMALL, "evil": EVIL, "wide": WIDE}[name])
        result = run("show", file, "--format", form, **more)
        assert (result.status, result.err) == (0, "")
        return result.out

    return show


# --- The content ----------------------------------------------------------------------------------


def disagreements(policy, kind_of):
    """Pairs and grants on which a sheet and the policy's own decisions differ."""
    for line in sheet_of(policy).lines:
        for square in line.squares.values():
            kind = kind_of(square)
            access = Access(line.category, purposes=(square.purpose,))
            if square.grants and not square.prohibited:
                widest = next(grant for grant in square.grants if grant.kind is square.kind)
                access = Access(line.category, purposes=(square.purpose,), items=widest.items)
            decision = decide(policy, access)
            if decision.reason is not EXPECTED[kind]:
                yield square.category, square.purpose, decision.reason
            elif kind is Kind.PROHIBITED and decision.clauses != square.prohibited:
                yield square.category, square.purpose, decision.clauses


@pytest.mark.parametrize("name", POLICIES)
def test_sheet_says_what_is_decided(name):
    """Every square of the sheet says what `decide` answers to the same pair."""
    assert list(disagreements(POLICIES[name], lambda square: square.kind)) == []


def test_sheets_that_forget_parents_would_be_caught():
    """Naive sheets, without what parents grant or without what is prohibited, disagree."""
    small = POLICIES["small"]

    def without_parents(square):
        own = [grant.kind for grant in square.grants if grant.through is None]
        return Kind.PROHIBITED if square.prohibited else min(own, default=Kind.NONE)

    def without_prohibitions(square):
        return square.grants[0].kind if square.grants else Kind.NONE

    assert list(disagreements(small, without_parents))
    assert list(disagreements(small, without_prohibitions))


@pytest.mark.parametrize("name", POLICIES)
def test_columns_are_the_purposes_that_can_be_asked_for(name):
    """Each purpose has one column, but those that only group others and are granted nowhere."""
    policy = POLICIES[name]
    columns = [column.purpose for column in sheet_of(policy).columns]
    granted = {purpose for row in policy.rows.values() for purpose in row.cells}
    inner = {above for lineage in policy.lineages.values() for above in lineage[1:]}
    assert sorted(columns) == sorted(set(policy.lineages) - (inner - granted))


# --- Table ----------------------------------------------------------------------------------------


SMALL_TABLE = """\
Policy   small
Version  3
Digest   {digest}

                   applicant  guest
hiring
  hiring               ·        ✕
  screening            ●        ✕
  screening.score      ●        ✕
  contact              ●        ●
ads
  ads                  →        ●
  ● granted   ◐ conditional   → only to recipients   ✕ prohibited   · not granted

applicant  People who apply
  items: name, email, cv
  ● hiring.screening        A1      name, cv   [1]
  ◐ hiring.screening.score  A2      all items  needs consent_individual; strict reading
  ● hiring.contact          A3, A4  all items
  → ads                     A5      email      only to agency

guest  Guests (entrusted by customers)
  items: name [2]
  ✕ hiring                 G1  all items
  ● ads                    G2  all items
  ✕ 3 purposes prohibited  G3

[1] humans decide
[2] at the reception only

--format html and md also show: categories (2), purposes (5), recipients (2), members of \
recipients (1), what recipients may be given (2), sources (2), grounds
(1), requests (1), prohibitions (1), retention (1)
"""


def test_table_of_a_small_policy(shown):
    """The whole table, to the letter."""
    assert shown("small", "table") == SMALL_TABLE.format(digest=POLICIES["small"].digest)


def test_table_of_smarthr(shown):
    """The bundled policy's table has a row for each purpose and a line for each cell."""
    text = shown("smarthr", "table")
    sheet = sheet_of(POLICIES["smarthr"])
    rows = re.findall(r"^  [a-z_]+ +(?:[●◐→✕·] +){7}[●◐→✕·]$", text, re.MULTILINE)
    assert len(rows) == len(sheet.columns) == 30
    cells = re.findall(r"^  [●◐→] [a-z_]+\.[a-z_]+ ", text, re.MULTILINE)
    assert len(cells) == sum(len(row.cells) for row in POLICIES["smarthr"].rows.values())


def test_table_in_a_narrow_terminal_numbers_its_columns(shown):
    """Where the categories don't fit beside each other, numbers stand for them."""
    text = shown("smarthr", "table", columns="80")
    assert " 1 customer_admin\n 2 enquirer\n" in text
    assert re.search(r"^ +1 +2 +3 +4 +5 +6 +7 +8$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80


# --- HTML -----------------------------------------------------------------------------------------


class Page(HTMLParser):
    """A page read strictly: what is opened is closed, in order."""

    VOID = frozenset({"meta", "col", "br", "img", "wbr", "link", "input"})

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.tags = []
        self.ids = []
        self.tables = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        where = [(name, each.get("class", "")) for name, each in self.open]
        if tag == "table":
            around = "bands" if ("div", "bands") in where else "wide"
            self.tables.append((attributes["class"], around, []))
        if tag == "tr":
            part = next(name for name, _ in reversed(where) if name in ("thead", "tbody"))
            self.tables[-1][2].append((part, []))
        if tag in ("th", "td"):
            self.tables[-1][2][-1][1].append((tag, attributes))
        if tag not in self.VOID:
            self.open.append((tag, attributes))

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open[-1][0] == tag, (tag, self.open[-1], self.getpos())
        self.open.pop()

    def handle_data(self, data):
        self.text += data

    def matrices(self, around):
        return [rows for kind, where, rows in self.tables if (kind, where) == ("matrix", around)]


@pytest.mark.parametrize("name", POLICIES)
def test_page_is_the_matrix(shown, name):
    """The matrix has a row for each category, a column for each purpose, and groups that add up."""
    sheet = sheet_of(POLICIES[name])
    page = Page(shown(name, "html"))
    (rows,) = page.matrices("wide")
    groups, purposes = (cells for part, cells in rows if part == "thead")
    widths = [int(attributes["colspan"]) for tag, attributes in groups if tag == "th"]
    assert widths == [len(group.columns) for group in sheet.groups]
    assert len(purposes) == sum(widths) == len(sheet.columns)
    body = [cells for part, cells in rows if part == "tbody"]
    assert len(body) == len(sheet.lines)
    for line, cells in zip(sheet.lines, body, strict=True):
        (head, *squares) = cells
        assert head == ("th", {"scope": "row"})
        kinds = [attributes["class"] for _, attributes in squares]
        assert kinds == [square.kind.name.lower() for square in line.squares.values()]


@pytest.mark.parametrize("name", [*POLICIES, "wide"])
def test_page_on_paper_is_the_same_matrix(shown, name):
    """On paper the columns come in bands that fit, and none is lost."""
    sheet = sheet_of(POLICIES.get(name) or parse_policy(WIDE))
    bands = Page(shown(name, "html")).matrices("bands")
    widths = [len(rows[1][1]) for rows in bands]
    assert sum(widths) == len(sheet.columns)
    assert max(widths) <= 8
    assert all(len(rows) == 2 + len(sheet.lines) for rows in bands)


@pytest.mark.parametrize("name", POLICIES)
def test_page_is_self_contained_and_accessible(shown, name):
    """Nothing is loaded, links lead inside, ids are unique, and every head cell has its scope."""
    text = shown(name, "html")
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>\n")
    assert ("html", {"lang": "en"}) in page.tags
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert "url(" not in text
    assert "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.tags:
        assert "src" not in attributes
        assert tag != "th" or attributes["scope"] in ("row", "col", "colgroup")
        if "href" in attributes:
            assert attributes["href"].removeprefix("#") in page.ids
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in page.ids
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_page_holds_the_rarer_parts(shown):
    """A cell's own period and a ground that lifts nothing are shown; what is not there is not."""
    page = Page(shown("wide", "html"))
    text = re.sub(r"\s+", " ", page.text)
    assert "person lone P30D contract end" in text
    assert "none_yet Lifts nothing nothing W2" in text
    assert {"retention", "grounds"} <= set(page.ids)
    assert not {"requests", "recipients", "prohibitions", "notes"} & set(page.ids)


def test_page_holds_what_the_policy_says(shown):
    """Cells show clauses, items, conditions, recipients, readings, notes and what is prohibited."""
    text = re.sub(r"\s+", " ", Page(shown("small", "html")).text)
    for said in (
        "conditional: A2 all items needs consent_individual strict reading",
        "granted: A1 name, cv through hiring.screening note 1",
        "only to recipients: A5 email only to agency",
        "✕prohibited G3 grant without effect: G1 all items",
        POLICIES["small"].digest,
        "humans decide",
        "A court orders it",
        "9999-12-31",
        "5 EUR",
        "P6M",
        "Application form",
    ):
        assert said in text


@pytest.mark.parametrize("form", ["html", "md", "table"])
def test_text_of_a_policy_stays_text(shown, form):
    """Markup in a policy's titles and clauses is shown as it is, and means nothing in any form."""
    text = shown("evil", form)
    if form == "html":
        page = Page(text)
        assert HOSTILE in page.text
        assert not {"script", "img"} & {tag for tag, _ in page.tags}
        assert "<script" not in text
        assert "<b>&" not in text
        titles = [attributes.get("title") for _, attributes in page.tags]
        assert HOSTILE in titles
    if form == "md":
        assert re.search(r"(?<!\\)<(?!br>)", text) is None
        assert r"\<script\>" in text
        assert r"\<b\>&amp;\|\`1\`" in text
    if form == "table":
        assert "<b>&|`1`" in text


def test_page_without_escaping_would_be_caught(shown):
    """A page on which the hostile title is not escaped does not pass for the same page."""
    naive = html.unescape(shown("evil", "html"))
    assert "<script" in naive
    with pytest.raises(AssertionError):
        Page(naive)


# --- Markdown and JSON ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*POLICIES, "evil"])
def test_markdown_tables_are_whole(shown, name):
    """Each row of a table has as many cells as its head, whatever the policy's text holds."""
    tables = re.findall(r"(?:^\|.*\n)+", shown(name, "md"), re.MULTILINE)
    sheet = sheet_of(POLICIES.get(name, POLICIES["small"]))
    assert len(tables) == 1 + len(sheet.sections)
    for table in tables:
        rows = table.splitlines()
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(widths) == 1, rows
        assert set(rows[1]) == set("|- ")
    matrix = tables[0].splitlines()
    assert matrix[0] == f"| Purpose | {' | '.join(f'`{line.category}`' for line in sheet.lines)} |"
    assert [row.split("`")[1] for row in matrix[2:]] == [each.purpose for each in sheet.columns]


def test_markdown_cells(shown):
    """A cell says in Markdown what it says on the page."""
    text = shown("small", "md")
    prohibited = "✕ G3<br>~~● G1; all items; through `hiring`~~"
    assert f"| `hiring.screening` | ● A1; `name`, `cv` (1) | {prohibited} |" in text
    assert "| `ads` | → A5; `email`; only to `agency` | ● G2; all items |" in text
    assert "1. humans decide\n" in text


@pytest.mark.parametrize("name", POLICIES)
def test_json_spells_everything_out(shown, name):
    """JSON holds every cell with its items spelled out, and the digest."""
    policy = POLICIES[name]
    data = json.loads(shown(name, "json"))
    assert (data["policy"], data["digest"]) == (policy.name, policy.digest)
    cells = {
        (row, cell): data["matrix"][row][cell]
        for row in data["matrix"]
        for cell in data["matrix"][row]
    }
    assert set(cells) == {(row, cell) for row in policy.rows for cell in policy.rows[row].cells}
    for (row, purpose), cell in cells.items():
        compiled = policy.rows[row].cells[purpose]
        assert set(cell["items"]) == compiled.items
        assert cell["clauses"] == list(compiled.clauses)
        assert cell["needs"] == list(compiled.needs)


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "html", "md", "json"])
def test_output_file_holds_what_is_printed(tmp_path, shown, form):
    """`-o` writes the same text as UTF-8, and prints nothing."""
    into = tmp_path / "out"
    result = run("show", "smarthr", "--format", form, "-o", into)
    assert (result.status, result.out, result.err) == (0, "", "")
    assert into.read_text(encoding="utf-8") == shown("smarthr", form)


def test_output_never_replaces_the_policy(tmp_path, monkeypatch):
    """Writing over the policy that is shown is refused, under any of its names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "link.yaml").symlink_to("small.yaml")
    for into in ("small.yaml", "./link.yaml", tmp_path / "small.yaml"):
        refused(run("show", "small.yaml", "--format", "md", "-o", into), "is the policy itself")
    assert (tmp_path / "small.yaml").read_text() == SMALL


@pytest.mark.parametrize(
    ("into", "said"), [("none/out.html", "no such file"), (".", "is a directory")]
)
def test_output_that_cant_be_written_is_one_line(into, said):
    """A file that can't be written ends with one line and status 2."""
    refused(run("show", "smarthr", "--format", "html", "-o", into), said)


def test_policy_that_cant_be_shown():
    """A policy that can't be used is told problem by problem on standard error; status 2."""
    result = run("show", "-", stdin=BAD)
    assert (result.status, result.out) == (2, "")
    assert [line.split(": ")[1] for line in result.err.splitlines()] == [
        f"<stdin>:{at}" for at in BAD_PLACES
    ]


def test_real_runs_are_stable():
    """Two runs in processes of their own print the same bytes."""
    first, second = (
        spawn("show", "smarthr", "--format", "html", PYTHONHASHSEED=seed) for seed in ("1", "2")
    )
    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout == second.stdout

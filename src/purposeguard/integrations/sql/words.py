"""From text to the parts of it that touch data, by the words that statements begin with.

What touches no data is known by its first word, so that no parser has to understand it. SQLGlot
parses the rest; the few forms that it lacks are put into ones that it has and that touch the same.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from sqlglot import Token, TokenType

Tokens = list[Token]
Tokenize = Callable[[str], Tokens]

_TOUCHES_NOTHING = frozenset(
    [
        "ABORT",
        "ALTER",
        "ANALYZE",
        "ATTACH",
        "BEGIN",
        "CHECKPOINT",
        "CLOSE",
        "CLUSTER",
        "COMMENT",
        "COMMIT",
        "DEALLOCATE",
        "DETACH",
        "DISCARD",
        "DROP",
        "END",
        "FETCH",
        "GRANT",
        "IMPORT",
        "LISTEN",
        "LOAD",
        "LOCK",
        "MOVE",
        "NOTIFY",
        "PRAGMA",
        "PREPARE",
        "REASSIGN",
        "REFRESH",
        "REINDEX",
        "RELEASE",
        "RESET",
        "REVOKE",
        "ROLLBACK",
        "SAVEPOINT",
        "SECURITY",
        "SET",
        "SHOW",
        "START",
        "UNLISTEN",
    ]
)
"""Statements that release, change and remove no rows, or only by names that were judged before.

`FETCH` reads what `DECLARE` was judged for, `PREPARE` runs nothing. What a schema is changed to, or
that a table is dropped, is not judged.
"""

_TOUCHES = frozenset(
    [
        "SELECT",
        "WITH",
        "VALUES",
        "TABLE",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "TRUNCATE",
        "COPY",
        "(",
    ]
)

_FILLED = frozenset({"TABLE", "VIEW"})
"""What `CREATE … AS` fills from a query; a plain view is not filled."""

_ESCAPED = re.compile(r"\bU&\"", re.IGNORECASE)
_PERCENT = re.compile(r"%%|%\([^()]*\)[sbt]|%[sbt]")


_SPACE = re.compile(r"[^\S \t\n\r\f\v]")
"""What SQLGlot takes for a blank, and databases for a letter."""
_PARAMETER = re.compile(r"(?<![\w$@:#])[$@:#][\w$:]*+\(")
"""To SQLite the bracket and all up to its end belong to the parameter's name."""
_QUOTES = r"""'[^']*'|"[^"]*"|--[^\n]*|/\*.*?\*/"""
_QUOTED = {
    sqlite: re.compile(_QUOTES + (r"|`[^`]*`|\[[^]]*\]" if sqlite else ""), re.DOTALL)
    for sqlite in (True, False)
}

_BEFORE_SIGNS = (TokenType.ORDER_BY, TokenType.COMMA, TokenType.L_PAREN, TokenType.DASH)


class HiddenError(Exception):
    """What a statement touches can't be told from its text. The cause says why."""


class BoundlessError(HiddenError):
    """Nor can it be told that it touches only what it names."""


def without_percent(text: str) -> str:
    """Return a text as drivers with `%s` or `%(name)s` placeholders send it."""
    return _PERCENT.sub(lambda found: "%" if found[0] == "%%" else "$1", text)


def parts(text: str, dialect: str, tokenize: Tokenize) -> Iterator[Tokens]:
    """Yield each part of a text that touches data, for SQLGlot to parse.

    Raises HiddenError for a statement whose text doesn't say what it touches.
    """
    sqlite = dialect == "sqlite"
    if not sqlite and _ESCAPED.search(text):
        raise BoundlessError("a name in it is written with `U&`")
    outside = _outside_quotes(text, sqlite=sqlite)
    if _SPACE.search(outside):
        raise BoundlessError("it has a blank that isn't one to the database")
    if sqlite and _PARAMETER.search(outside):
        raise BoundlessError("it has a parameter with a bracket in its name")
    tokens = [*_with_signs(tokenize(text))]
    if sqlite and _is_trigger(tokens):
        return  # the statements in its body run later, and can't be followed by others
    for statement in _statements(tokens):
        found = _touching(statement, tokenize)
        if found and sqlite:
            yield _in_sqlite(found)
            yield from map(_in_sqlite, _replaced(found))
        elif found:
            yield _in_postgresql(found)


def _outside_quotes(text: str, *, sqlite: bool) -> str:
    """Return what of a text stands in no quotes; all of it where quotes may be escaped."""
    return text if "\\" in text else _QUOTED[sqlite].sub("", text)


def _with_signs(tokens: Tokens) -> Iterator[Token]:
    """Yield tokens with a plus before a value as a minus: SQLGlot drops it.

    `ORDER BY +name` is by a column, and not by what is selected under that name.
    """
    before: TokenType | None = None
    for token in tokens:
        sign = token.token_type is TokenType.PLUS and before in _BEFORE_SIGNS
        kept = Token(TokenType.DASH, "-") if sign else token
        before = kept.token_type
        yield kept


def _statements(tokens: Tokens) -> Iterator[Tokens]:
    statement: Tokens = []
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            yield statement
            statement = []
        else:
            statement.append(token)
    yield statement


def _word(token: Token | None) -> str:
    """Return the word that a token is, or nothing for a name or text in quotes."""
    quoted = token is None or token.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
    return "" if token is None or quoted else token.text.upper()


def _words(tokens: Tokens, count: int, place: int = 0) -> list[str]:
    return [_word(token) for token in tokens[place : place + count]]


def _is_trigger(tokens: Tokens) -> bool:
    words = [word for word in _words(tokens, 3) if word not in ("TEMP", "TEMPORARY")]
    return words[:2] == ["CREATE", "TRIGGER"]


def _touching(tokens: Tokens, tokenize: Tokenize) -> Tokens:
    """Return the part of one statement that touches data, or nothing."""
    if not tokens:
        return []
    word = _word(tokens[0])
    if word in _TOUCHES:
        return tokens
    if word == "REPLACE":
        return [tokens[0], *_spelled_out(tokens[1:], tokenize)]
    if word in ("EXPLAIN", "DECLARE", "VACUUM", "CREATE"):
        return _inside(word, _spelled_out(tokens[1:], tokenize), tokenize)
    if word not in _TOUCHES_NOTHING:
        raise BoundlessError("its text doesn't say what it touches")
    return []


def _spelled_out(tokens: Tokens, tokenize: Tokenize) -> Tokens:
    """Return tokens where SQLGlot has left the rest of a command as one text."""
    if len(tokens) == 1 and tokens[0].token_type is TokenType.STRING:
        return tokenize(tokens[0].text)
    return tokens


def _inside(word: str, rest: Tokens, tokenize: Tokenize) -> Tokens:
    """Return the statement that another one runs, or nothing."""
    if word == "VACUUM":
        if any(_word(token) == "INTO" for token in rest):
            raise BoundlessError("it copies the whole database")
        return []
    if word == "CREATE":
        return _filling(rest, tokenize)
    if word == "DECLARE":
        return _touching(_after(rest, "FOR"), tokenize)
    inner = _explained(rest)
    runs = any(_word(token) == "ANALYZE" for token in rest[: len(rest) - len(inner)])
    return _touching(inner, tokenize) if runs else []


def _explained(rest: Tokens) -> Tokens:
    """Return the statement behind the options of `EXPLAIN`."""
    start = 0
    if rest and rest[0].token_type is TokenType.L_PAREN:
        start = 1 + next(
            (n for n, each in enumerate(rest) if each.token_type is TokenType.R_PAREN), len(rest)
        )
    while start < len(rest) and _word(rest[start]) in ("ANALYZE", "VERBOSE"):
        start += 1
    return rest[start:]


def _filling(rest: Tokens, tokenize: Tokenize) -> Tokens:
    """Return the query that fills what is created, or nothing."""
    words = [_word(token) for token in rest]
    kind = next((word for word in words if word in _FILLED), None)
    head = words[: words.index(kind)] if kind else []
    if kind is None or "FUNCTION" in head or (kind == "VIEW" and "MATERIALIZED" not in head):
        return []
    query = _after(rest, "AS")
    tail = _words(query[-3:], 3)
    if tail[-2:] == ["WITH", "DATA"]:
        query = query[:-2]
    elif tail == ["WITH", "NO", "DATA"]:
        query = query[:-3]
    return _touching(query, tokenize) if query else []


def _after(tokens: Tokens, word: str) -> Tokens:
    """Return what follows a word outside all brackets."""
    depth = 0
    for place, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and _word(token) == word:
            return tokens[place + 1 :]
    return []


def _replaced(tokens: Tokens) -> Iterator[Tokens]:
    """Yield what erases the rows that `UPDATE OR REPLACE` puts others in the place of."""
    for place in range(len(tokens)):
        if _words(tokens, 3, place) == ["UPDATE", "OR", "REPLACE"]:
            rest = tokens[place + 3 :]
            end = next((n for n, each in enumerate(rest) if _word(each) == "SET"), len(rest))
            yield [*_spelled(_DELETE), *rest[:end]]


def _in_sqlite(tokens: Tokens) -> Tokens:
    """Write out what SQLGlot lacks of SQLite, or leave out what only says which rows and how."""
    kept: Tokens = []
    skip = 0
    for place, token in enumerate(tokens):
        words = _words(tokens, 3, place)
        before = kept[-1] if kept else None
        if skip:
            skip -= 1
        elif words[:2] == ["INDEXED", "BY"]:
            skip = 2
        elif words[0] == "OR" and _word(before) == "UPDATE":
            skip = 1
        elif words[:2] == ["REPLACE", "INTO"] and _word(before) != "OR":
            kept += _spelled(_INSERT)
        elif token.token_type is TokenType.STRING and _is_name(tokens, place):
            kept.append(Token(TokenType.IDENTIFIER, token.text))
        elif (
            token.token_type is TokenType.NUMBER
            and before is not None
            and before.token_type is TokenType.PLACEHOLDER
            and before.end + 1 == token.start
        ):
            continue
        else:
            kept.append(token)
    return kept


def _is_name(tokens: Tokens, place: int) -> bool:
    """Whether SQLite takes a text in single quotes for a name that SQLGlot takes for a value."""
    before = tokens[place - 1].token_type if place else None
    dotted = any(each.token_type is TokenType.DOT for each in tokens[place + 1 : place + 2])
    return dotted or before in (TokenType.DOT, TokenType.IN)


def _in_postgresql(tokens: Tokens) -> Tokens:
    """Leave out what SQLGlot lacks of PostgreSQL, and write `TABLE name` out as the query it is.

    `@`, which makes a number positive, becomes another sign: SQLGlot knows it in names only.
    """
    kept: Tokens = []
    skip = 0
    is_query = _word(tokens[0]) != "TRUNCATE"
    for place, token in enumerate(tokens):
        words = _words(tokens, 3, place)
        if skip:
            skip -= 1
        elif words in (["OVERRIDING", "SYSTEM", "VALUE"], ["OVERRIDING", "USER", "VALUE"]):
            skip = 2
        elif words[:2] == ["COPY", "BINARY"]:
            kept.append(token)
            skip = 1
        elif words[1:2] == ["FROM"] and [_word(each) for each in kept[-2:]] == ["EXTRACT", "("]:
            kept.append(Token(TokenType.STRING, token.text))  # `year`, which is no column
        elif token.token_type is TokenType.PARAMETER and words[0] == "@":
            kept.append(Token(TokenType.DASH, "-"))
        elif token.token_type is TokenType.TABLE and is_query:
            kept += _spelled(_ALL_OF)
        else:
            kept.append(token)
    return kept


def _spelled(words: Iterable[tuple[TokenType, str]]) -> Iterator[Token]:
    return (Token(kind, text) for kind, text in words)


_ALL_OF = ((TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM"))
_DELETE = ((TokenType.DELETE, "DELETE"), (TokenType.FROM, "FROM"))
_INSERT = ((TokenType.INSERT, "INSERT"), (TokenType.OR, "OR"), (TokenType.REPLACE, "REPLACE"))

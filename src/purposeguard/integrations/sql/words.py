"""From text to the parts of it that touch data, by the words that statements begin with.

What touches no data is known by its first word, so that no parser has to understand it. SQLGlot
parses the rest; the few forms that it lacks are put into ones that it has and that touch the same.
"""

import re
from collections.abc import Callable, Iterator

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

_REPLACE = re.compile(r"\A((?:\s|--[^\n]*\n|/\*.*?\*/)*)REPLACE\b", re.DOTALL | re.IGNORECASE)
_ESCAPED = re.compile(r"\bU&\"", re.IGNORECASE)
_PERCENT = re.compile(r"%%|%\([^)]*\)[sbt]|%[sbt]")


class HiddenError(Exception):
    """What a statement touches can't be told from its text. The cause says why."""


def without_percent(text: str) -> str:
    """Return a text as drivers with `%s` or `%(name)s` placeholders send it."""
    return _PERCENT.sub(lambda found: "%" if found[0] == "%%" else "$1", text)


def parts(text: str, dialect: str, tokenize: Tokenize) -> Iterator[Tokens]:
    """Yield each part of a text that touches data, for SQLGlot to parse.

    Raises HiddenError for a statement whose text doesn't say what it touches.
    """
    sqlite = dialect == "sqlite"
    if sqlite:
        text = _REPLACE.sub(r"\1INSERT", text, count=1)
    elif _ESCAPED.search(text):
        raise HiddenError("a name in it is written with `U&`")
    tokens = tokenize(text)
    if sqlite and _words(tokens, 4)[:1] == ["CREATE"] and "TRIGGER" in _words(tokens, 4):
        return  # the statements in its body run later, and can't be followed by others
    for statement in _statements(tokens):
        found = _touching(statement, tokenize)
        if found:
            yield _in_sqlite(found) if sqlite else _in_postgresql(found)


def _statements(tokens: Tokens) -> Iterator[Tokens]:
    statement: Tokens = []
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            yield statement
            statement = []
        else:
            statement.append(token)
    yield statement


def _words(tokens: Tokens, count: int) -> list[str]:
    return [token.text.upper() for token in tokens[:count]]


def _touching(tokens: Tokens, tokenize: Tokenize) -> Tokens:
    """Return the part of one statement that touches data, or nothing."""
    word = tokens[0].text.upper() if tokens else ""
    if word in _TOUCHES:
        return tokens
    if word in ("EXPLAIN", "DECLARE", "VACUUM", "CREATE"):
        return _inside(word, _spelled_out(tokens[1:], tokenize), tokenize)
    if word and word not in _TOUCHES_NOTHING:
        raise HiddenError("its text doesn't say what it touches")
    return []


def _spelled_out(tokens: Tokens, tokenize: Tokenize) -> Tokens:
    """Return tokens where SQLGlot has left the rest of a command as one text."""
    if len(tokens) == 1 and tokens[0].token_type is TokenType.STRING:
        return tokenize(tokens[0].text)
    return tokens


def _inside(word: str, rest: Tokens, tokenize: Tokenize) -> Tokens:
    """Return the statement that another one runs, or nothing."""
    if word == "VACUUM":
        if any(token.text.upper() == "INTO" for token in rest):
            raise HiddenError("it copies the whole database")
        return []
    if word == "CREATE":
        return _filling(rest, tokenize)
    if word == "DECLARE":
        return _touching(_after(rest, "FOR"), tokenize)
    inner = _explained(rest)
    runs = any(token.text.upper() == "ANALYZE" for token in rest[: len(rest) - len(inner)])
    return _touching(inner, tokenize) if runs else []


def _explained(rest: Tokens) -> Tokens:
    """Return the statement behind the options of `EXPLAIN`."""
    start = 0
    if rest and rest[0].token_type is TokenType.L_PAREN:
        start = 1 + next(
            (n for n, each in enumerate(rest) if each.token_type is TokenType.R_PAREN), len(rest)
        )
    while start < len(rest) and rest[start].text.upper() in ("ANALYZE", "VERBOSE"):
        start += 1
    return rest[start:]


def _filling(rest: Tokens, tokenize: Tokenize) -> Tokens:
    """Return the query that fills what is created, or nothing."""
    words = [token.text.upper() for token in rest]
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
        elif depth == 0 and token.text.upper() == word:
            return tokens[place + 1 :]
    return []


def _in_sqlite(tokens: Tokens) -> Tokens:
    """Leave out what SQLGlot lacks of SQLite: it says which rows and how, not which columns."""
    kept: Tokens = []
    skip = 0
    for place, token in enumerate(tokens):
        words = _words(tokens[place:], 3)
        before = kept[-1] if kept else None
        if skip:
            skip -= 1
        elif words[:2] == ["INDEXED", "BY"] and token.token_type is not TokenType.IDENTIFIER:
            skip = 2
        elif words[0] == "OR" and before is not None and before.text.upper() == "UPDATE":
            skip = 1
        elif (
            words[:2] == ["REPLACE", "INTO"] and before is not None and before.text.upper() != "OR"
        ):
            kept.append(Token(TokenType.INSERT, "INSERT"))
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


def _in_postgresql(tokens: Tokens) -> Tokens:
    """Leave out what SQLGlot lacks of PostgreSQL, and write `TABLE name` out as the query it is."""
    kept: Tokens = []
    skip = 0
    is_query = tokens[0].text.upper() != "TRUNCATE"
    for place, token in enumerate(tokens):
        words = _words(tokens[place:], 3)
        if skip:
            skip -= 1
        elif words[0] == "OVERRIDING" and words[2:] == ["VALUE"]:
            skip = 2
        elif token.token_type is TokenType.TABLE and is_query:
            kept += [Token(kind, text) for kind, text in _ALL_OF]
        else:
            kept.append(token)
    return kept


_ALL_OF = ((TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM"))

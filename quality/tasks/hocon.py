"""HOCON files (https://github.com/lightbend/config/blob/main/HOCON.md): the one place that parses.

The library follows the specification: a value such as `30s` or `now() - 5 days` stays the text that
it is, `+=` appends. What it leaves unsaid is said here: in which file and line a value stands, and
that an included file does not exist.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hocon
from hocon._internal.lexer.lexer import tokenize
from hocon._internal.parser import ast
from hocon._internal.parser.parser import parse_tokens

from quality.errors import Fault, InvalidInput

MAX_FILE_BYTES = 1024 * 1024
_MAX_DEPTH = 50
_MOST_UNRESOLVED = 100
_ENDINGS = (".conf", ".json", ".properties")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; `file:line:column`."""

    file: Path
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Located:
    """A value as it was written, and the file in which that is."""

    file: Path
    node: Any

    def place(self, path: tuple[str | int, ...]) -> Place:
        node, position = self.node, self.node.pos
        for part in path:
            inner = _inner(node, part)
            if inner is None:
                break
            node, position = inner
        return Place(self.file, position.line, position.col)


@dataclass(slots=True)
class Document:
    """A resolved file: its values as plain data, and where the items of its lists stand.

    `missing` are includes that name no file, which HOCON takes for empty ones. `unresolved` are
    substitutions that nothing resolves: the values have empty texts there.
    """

    file: Path
    values: dict[str, Any]
    missing: list[Fault] = field(default_factory=list)
    unresolved: list[Fault] = field(default_factory=list)
    lists: dict[str, list[Located]] = field(default_factory=dict)

    def place(self, name: str, position: int, path: tuple[str | int, ...] = ()) -> Place:
        """Of an item of a top-level list, or of what lies in it; else of what holds it."""
        located = self.lists.get(name, [])
        found = self.values.get(name)
        if not isinstance(found, list) or len(located) != len(found):
            return Place(self.file)  # made by a substitution: no text stands for it
        return located[position].place(path)


def read(file: Path, variables: Mapping[str, str]) -> Document:
    """Parse and resolve a file; `variables` stand for the environment, which is not looked at.

    Raises InvalidInput with the fault's place for a file that cannot be read or is not HOCON, or
    whose substitutions go in a circle.
    """
    reader = _Reader(Document(file, {}))
    reader.load(file)
    document, known = reader.document, dict(variables)
    while True:
        try:
            document.values = reader.resolved(known)
            return document
        except (hocon.ParseError, hocon.ResolveError) as error:
            found = reader.substitution(error.line, error.col)
            where, name = found or (Place(file), "")
            if not name or name in known or len(document.unresolved) >= _MOST_UNRESOLVED:
                raise _wrong(where, "hocon_unresolved", str(error)) from None
            # Go on as if it were an empty text, to find the others too.
            known[name] = ""
            document.unresolved.append(Fault(str(where), "hocon_unresolved", str(error)))
        except hocon.ConfigError as error:
            raise _wrong(Place(file), "hocon_invalid", str(error)) from None


class _Reader:
    """Reads a file and all that it includes, and remembers what was written where."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._texts: dict[Path, str] = {}
        self._trees: list[tuple[Path, Any]] = []

    def text(self, name: str) -> str:
        """The text of a file that was read; for the library, which tries more names."""
        known = self._texts.get(Path(name))
        if known is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", name)
        return known

    def resolved(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """The values of the file that was loaded."""
        config = hocon.parse_file(
            str(_absolute(self.document.file)),
            env=dict(variables),
            read_file=self.text,
            package_resolver=lambda identifier, name, _file, _base: f"{identifier}/{name}",
        )
        values: dict[str, Any] = config.to_object()
        return values

    def load(self, file: Path, *, is_top: bool = True, depth: int = 0) -> None:
        """`is_top` is whether the file's fields are the document's own."""
        text = _text(file)
        self._texts[_absolute(file)] = text
        if file.suffix == ".properties":
            return
        try:
            tree = parse_tokens(tokenize(text))
        except hocon.ParseError as error:
            where = Place(file, error.line, error.col)
            raise _wrong(where, "hocon_invalid", str(error)) from None
        except RecursionError:
            raise _wrong(Place(file), "hocon_invalid", "is nested too deeply") from None
        self._trees.append((file, tree))
        for entry in getattr(tree, "fields", ()):
            if isinstance(entry.value, ast.AstInclude):
                self._include(file, entry.value, is_top, depth)
                continue
            for node in _nodes(entry.value):
                if isinstance(node, ast.AstInclude):
                    self._include(file, node, False, depth)
            if is_top and len(entry.key) == 1:
                _follow(self.document.lists, file, entry)

    def substitution(self, line: int, column: int) -> tuple[Place, str] | None:
        """Where the `${…}` stands that is there, in one of the files, and the name in it."""
        for file, tree in self._trees:
            for node in _nodes(tree):
                if isinstance(node, ast.AstSubst):
                    written: list[Any] = [node.pos, *node.segments]
                    if (line, column) in [(part.line, part.col) for part in written]:
                        name = ".".join(part.text for part in node.segments)
                        return Place(file, node.pos.line, node.pos.col), name
        return None

    def _include(self, file: Path, node: Any, is_top: bool, depth: int) -> None:
        where = Place(file, node.pos.line, node.pos.col)
        if node.qualifier.kind == "package":
            raise _wrong(where, "include", "package(…) is not known here; name a file")
        if depth >= _MAX_DEPTH:
            raise _wrong(where, "include", "the files include one another without an end")
        wanted = (Path() if node.qualifier.kind == "file" else file.parent) / node.path
        names = [wanted]
        if wanted.suffix not in _ENDINGS:
            names = [wanted.with_name(f"{wanted.name}{ending}") for ending in _ENDINGS]
        found = [name for name in names if name.is_file()]
        if not found and node.required:
            raise _wrong(where, "include", f'there is no file "{node.path}"')
        if not found:
            fault = Fault(str(where), "include", f'there is no file "{node.path}" to include')
            self.document.missing.append(fault)
        for name in found:
            self.load(name, is_top=is_top, depth=depth + 1)


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise _wrong(Place(file), "unreadable", error.strerror or "cannot be read") from None
    if len(raw) > MAX_FILE_BYTES:
        raise _wrong(Place(file), "too_large", f"has more than {MAX_FILE_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(Place(file), "encoding", f"is not UTF-8 (byte {error.start})") from None


def _follow(lists: dict[str, list[Located]], file: Path, entry: Any) -> None:
    """Keep track of which items a list of the top level has by now."""
    [name] = entry.key
    values = entry.value.nodes if isinstance(entry.value, ast.AstConcat) else [entry.value]
    if entry.append:
        lists.setdefault(name, []).append(Located(file, entry.value))
        return
    before = lists.pop(name, [])
    items: list[Located] = []
    for value in values:
        if isinstance(value, ast.AstArray):
            items += [Located(file, item) for item in value.items]
        elif isinstance(value, ast.AstSubst) and [part.text for part in value.segments] == [name]:
            items += before
        elif not (isinstance(value, ast.AstScalar) and value.separator):
            return
    lists[name] = items


def _inner(node: Any, part: str | int) -> tuple[Any, Any] | None:
    """The last value that was written for a key, or an item of a list, with its position."""
    if isinstance(node, ast.AstArray) and isinstance(part, int) and part < len(node.items):
        return node.items[part], node.items[part].pos
    if isinstance(node, ast.AstConcat):
        found = [inner for one in node.nodes if (inner := _inner(one, part)) is not None]
        return found[-1] if found else None
    if isinstance(node, ast.AstObject):
        for entry in reversed(node.fields):
            if entry.key == [part]:
                return entry.value, entry.pos
            if entry.key and entry.key[0] == part:
                return ast.AstObject([_shorter(entry)], entry.pos), entry.pos
    return None


def _shorter(entry: Any) -> Any:
    return ast.AstField(entry.key[1:], entry.value, entry.append, entry.pos)


def _nodes(node: Any) -> Iterator[Any]:
    """A value and all that lies within it."""
    yield node
    for entry in getattr(node, "fields", ()):
        yield from _nodes(entry.value)
    for inner in (*getattr(node, "items", ()), *getattr(node, "nodes", ())):
        yield from _nodes(inner)


def _absolute(file: Path) -> Path:
    """As the library names it: made absolute without following links."""
    return Path(os.path.abspath(file))  # noqa: PTH100 Path.resolve would follow links


def _wrong(where: Place, code: str, message: str) -> InvalidInput:
    fault = Fault(str(where), code, message)
    return InvalidInput(str(fault), code=code, faults=[fault])

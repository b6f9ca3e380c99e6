"""The fast path: selectors whose matches can be read off lexbor's tree with proof that parsel would find the same.

lexbor builds the tree that the HTML Standard prescribes, lxml (and so parsel) another one where markup is broken. Both read the same
tokens (libxml2 ≥ 2.14 tokenises as the standard says). So the text of an element is the same in both trees when the source itself shows
the element from its start tag to its end tag with nothing between them but text and well-nested phrasing
elements, and lexbor's tree has as many elements there as the source has tags. Attributes are the same when
each start tag in the source is an element in lexbor's tree, in the same order, with the same attributes.

Whatever cannot be proved so, for one page and selector, is left to lxml. `tests/differential` holds this to parsel on real pages.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cssselect
from cssselect.parser import Class, Element, FunctionalPseudoElement
from lxml import etree

from scrapemaster.extract.document import Document

#: Elements whose content is parsed by rules of its own, or that parsers make up, move or merge.
_SPECIAL = frozenset(
    "html head body frameset frame script style xmp iframe noembed noframes noscript plaintext textarea listing pre "
    "table tbody thead tfoot tr caption col colgroup select option optgroup form template svg math image isindex nobr "
    "button marquee object applet input keygen".split()
)
#: May stand inside any element that holds text, without closing it in either parser.
_PHRASING = frozenset(
    "a abbr b bdi bdo cite code del dfn em i ins kbd mark q s samp small span strong sub sup tt u var".split()
)
_VOID = frozenset({"br", "img"})  # libxml2 does not know that wbr is void
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*+)([^<>]*+)>")
#: A segment longer than this is not worth proving.
_LONGEST = 4_000

TRUSTED_PARSER = etree.LIBXML_VERSION >= (2, 14)


#: What stands in a start tag after its name, where the tag begins, and where it has ended.
_Start = tuple[bytes, int, int]


@dataclass(slots=True, frozen=True)
class FastRule:
    """`tag.class…::text` or `tag.class…::attr(name)`. `start` matches start tags, `end` is the end tag."""

    tag: str
    classes: tuple[str, ...]
    attr: str | None
    start: re.Pattern[bytes]
    end: bytes

    def find(self, document: Document) -> list[str] | None:
        """All matches in order, or None when that they are parsel's cannot be proved."""
        nodes = document.lexbor.tags(self.tag)
        starts = self._starts(document.utf8)
        if len(nodes) != len(starts):
            return None
        if not starts:
            return []
        if self.attr is None:
            return self._texts(nodes, starts, document.utf8)
        return self._attributes(nodes, starts, self.attr)

    def _starts(self, source: bytes) -> list[_Start]:
        """The start tags in the source."""
        return [(match[1], match.start(), match.end()) for match in self.start.finditer(source)]

    def _texts(self, nodes: Sequence[Any], starts: Sequence[_Start], source: bytes) -> list[str] | None:
        found: list[str] = []
        ends = [at for _, at, _ in starts[1:]]
        for node, (start, _, begin), end in zip(nodes, starts, [*ends, len(source)], strict=True):
            # One that ends only after the next one began holds it, or was closed by it.
            close = source.find(self.end, begin, end)
            if close < 0 or start[:1] == b"/" or start[-1:] == b"/":
                return None
            wanted = self._has_classes(node, start)
            if wanted is None:
                return None
            if not wanted:
                continue
            texts = _direct_texts(node, source[begin:close])
            if texts is None:
                return None
            found += texts
        return found

    def _attributes(self, nodes: Sequence[Any], starts: Sequence[_Start], attr: str) -> list[str] | None:
        found = []
        for node, (start, _, _) in zip(nodes, starts, strict=True):
            wanted = self._has_classes(node, start)
            if wanted is None:
                return None
            if not wanted:
                continue
            value = node.attributes.get(attr, _ABSENT)
            if not _same_attribute(start, attr, value):
                return None
            if value is not _ABSENT:
                found.append(value or "")
        return found

    def _has_classes(self, node: Any, start: bytes) -> bool | None:
        if not self.classes:
            return True
        value = node.attributes.get("class", _ABSENT)
        if not _same_attribute(start, "class", value):
            return None
        if value is _ABSENT:
            return False
        have = (value or "").split()
        return all(name in have for name in self.classes)


_ABSENT: Any = object()


def compile_fast(expression: str) -> FastRule | None:
    """The fast rule for a CSS expression; None if it has none."""
    if not TRUSTED_PARSER:
        return None
    parsed = cssselect.parse(expression)
    if len(parsed) != 1:
        return None
    pseudo = parsed[0].pseudo_element
    if isinstance(pseudo, FunctionalPseudoElement) and pseudo.name == "attr":
        attr = pseudo.arguments[0].value if len(pseudo.arguments) == 1 else None
        if attr is None or attr != attr.lower() or not re.fullmatch(r"[a-z][a-z0-9-]*", attr):
            return None
    elif pseudo == "text":
        attr = None
    else:
        return None
    tree = parsed[0].parsed_tree
    classes: list[str] = []
    while isinstance(tree, Class):
        classes.append(tree.class_name)
        tree = tree.selector
    if not isinstance(tree, Element) or tree.namespace or not tree.element:
        return None
    tag = tree.element
    if tag in _SPECIAL or not re.fullmatch(r"[a-z][a-z0-9]*", tag):
        return None
    if attr is None and tag in {
        "img",
        "br",
        "hr",
        "link",
        "meta",
        "base",
        "area",
        "wbr",
        "embed",
        "source",
        "track",
        "param",
    }:
        return None
    name = tag.encode()
    return FastRule(
        tag,
        tuple(classes),
        attr,
        re.compile(rb"<" + name + rb"((?=[\s>/])[^<>]*)>"),
        b"</" + name + b">",
    )


def _same_attribute(start: bytes, attr: str, value: Any) -> bool:
    """Whether a start tag's source gives the attribute plainly the value that lexbor read."""
    raw = start.decode("utf-8", "replace")
    if attr not in raw:
        return value is _ABSENT
    found = re.findall(rf"""(?<=[\s"']){re.escape(attr)}\s*=\s*(?:"([^"]*)"|'([^']*)')(?=[\s/]|$)""", raw)
    if not found:
        return value is _ABSENT and re.search(rf"""(?<=[\s"'/]){re.escape(attr)}(?=[\s=/]|$)""", raw) is None
    if len(found) > 1 or value is _ABSENT:
        return False
    text = found[0][0] or found[0][1]
    if "&" in text:
        text = text.replace("&amp;", "&")
        if "&" in raw.replace("&amp;", ""):
            return False
    return "\r" not in text and text == (value or "")


def _direct_texts(node: Any, inner: bytes) -> list[str] | None:
    """The text nodes right below an element, if its source proves them."""
    if len(inner) > _LONGEST or b"\r" in inner:
        return None
    source = inner.decode("utf-8", "replace")
    if "<" not in source:
        text = html.unescape(source) if "&" in source else source
        child = node.first_child
        if child is None:
            return [] if not text else None
        if child.next is not None or not child.is_text_node or child.text_content != text:
            return None
        return [text]
    return _texts_around(node, source)


def _texts_around(node: Any, source: str) -> list[str] | None:
    """As `_direct_texts`, for a source with tags in it."""
    open_tags: list[str] = []
    texts, current, at = [], "", 0
    children = 0
    for tag in _TAG.finditer(source):
        between = source[at : tag.start()]
        if "<" in between:
            return None
        at = tag.end()
        if not open_tags:
            current += between
        slash, name, rest = tag[1], tag[2], tag[3]
        if name in _VOID and not slash:
            if not open_tags:
                texts.append(current)
                current = ""
                children += 1
            continue
        if name not in _PHRASING or rest.endswith("/"):
            return None
        if slash:
            if not open_tags or open_tags.pop() != name:
                return None
            continue
        if not open_tags:
            texts.append(current)
            current = ""
            children += 1
        if name == "a" and "a" in open_tags:
            return None
        open_tags.append(name)
    rest = source[at:]
    if open_tags or "<" in rest:
        return None
    texts.append(current + rest)
    wanted = [html.unescape(text) for text in texts]
    return _matching(node, wanted, children)


def _matching(node: Any, wanted: list[str], children: int) -> list[str] | None:
    """The wanted texts without the empty ones, if lexbor's children of the node are just these around as many elements."""
    seen, elements, current = [], 0, ""
    child = node.first_child
    while child is not None:
        if child.is_text_node:
            current += child.text_content or ""
        elif child.is_element_node:
            seen.append(current)
            current = ""
            elements += 1
        else:
            return None
        child = child.next
    seen.append(current)
    if elements != children or seen != wanted:
        return None
    return [text for text in wanted if text]

"""Reads a page as a person would: headings, tables, facts, links, the text of it all."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import requests

from tests.gcp_local.emulators import Emulator

VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        parts = (each if isinstance(each, str) else each.text for each in self.children)
        return " ".join(" ".join(parts).split())

    def all(self, name: str, **attributes: str) -> list[Element]:
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, str):
                continue
            said = child.attributes
            if child.name == name and all(said.get(key) == attributes[key] for key in attributes):
                found.append(child)
            found += child.all(name, **attributes)
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def closed(self) -> Element:
        assert self._open == [self.root], [each.name for each in self._open]
        return self.root


@dataclass(frozen=True)
class Seen:
    """A page that was looked at."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    source: str
    root: Element

    @property
    def title(self) -> str:
        return self.root.all("h1")[0].text

    @property
    def text(self) -> str:
        return self.root.all("body")[0].text

    def table(self, title: str) -> list[dict[str, str]]:
        """The rows of the table under that heading, by the columns' names."""
        return [
            {cell.attributes["data-label"]: cell.text for cell in row.all("td")}
            for row in self._table(title).all("tr")
            if row.all("td")
        ]

    def links(self, title: str) -> dict[str, str]:
        """The links of the table under that heading: text to address."""
        return {
            link.text: link.attributes["href"]
            for link in self._table(title).all("a")
            if "href" in link.attributes
        }

    def _table(self, title: str) -> Element:
        return next(
            table for table in self.root.all("table") if table.all("caption")[0].text == title
        )

    @property
    def facts(self) -> dict[str, str]:
        return {
            pair.all("dt")[0].text: pair.all("dd")[0].text
            for listed in self.root.all("dl", **{"class": "facts"})
            for pair in listed.all("div")
        }


def parsed(text: str) -> Element:
    builder = _Builder()
    builder.feed(text)
    return builder.closed()


def look(emulator: Emulator, address: str) -> Seen:
    """Look at a page, which must be well formed."""
    answer = emulator.call("GET", address)
    return Seen(answer.status_code, answer.headers, answer.text, parsed(answer.text))

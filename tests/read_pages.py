"""A page as a test reads it: elements with their attributes, and the words that a reader sees."""

import re
from html.parser import HTMLParser

EMPTY = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Elements in order, and the text outside of style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} is closed where another is open"

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.elements if name == tag and attribute in attributes]


def check_alone(text):
    """See that a page stands by itself: no scripts, nothing fetched, links lead inside, pictures have words."""
    page = Page(text)
    assert page.open == [], "every element is closed"
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "base", "video", "audio"}
    attributes = [(name, value) for _, found in page.elements for name, value in found.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in {"srcset", "action", "style"}]
    assert all(value.startswith("data:image/") for name, value in attributes if name == "src")
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for name, value in attributes if name == "href"} <= {f"#{name}" for name in ids}
    assert all(len(words) > 10 for words in page.all("img", "alt"))
    assert len(page.all("img", "alt")) == len(page.all("img", "src"))
    assert "url(" not in text
    assert "@import" not in text
    return page

"""What a person would stumble over on a page: text too pale, things that leave the window, controls without a key."""

from typing import Any

from tests.headless_chromium import Browser, Keys

# Web Content Accessibility Guidelines 2.2, 1.4.3: 4.5 to 1, for large text 3 to 1; switched-off controls are exempt.
_PALE = """
const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (css) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data;
};
const over = (top, ground) => [0, 1, 2].map((i) => (top[i] * top[3] + ground[i] * (255 - top[3])) / 255);
const ground = (element) => {
  if (!element) return [255, 255, 255];
  const own = rgba(getComputedStyle(element).backgroundColor);
  return own[3] === 255 ? [...own].slice(0, 3) : over(own, ground(element.parentElement));
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
  if (!text || element.closest("svg, script, style, noscript, :disabled, [aria-hidden=true]")) continue;
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const style = getComputedStyle(element), size = parseFloat(style.fontSize);
  const behind = ground(element), color = [...rgba(style.color)];
  for (let one = element; one; one = one.parentElement) color[3] *= +getComputedStyle(one).opacity;
  const front = over(color, behind);
  const [a, b] = [light(front), light(behind)];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(1)}`);
}
return [...new Set(found)];
"""
_OUTSIDE = """
const width = document.documentElement.clientWidth, found = [];
const kinds = "button, input, a, img, svg, label, p, td, th, li, h1, h2, span";
for (const element of document.body.querySelectorAll(kinds)) {
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const box = element.getBoundingClientRect();
  if (box.width > 1 && box.height > 1 && (box.right > width + 1 || box.left < -1)) {
    const owner = element.closest("[id]");
    found.push(`${owner ? owner.id : ""} ${element.tagName} ${Math.round(box.left)} to ${Math.round(box.right)}`);
  }
}
for (const table of document.querySelectorAll("table")) {
  const room = table.parentElement.getBoundingClientRect();
  if (table.getBoundingClientRect().right > room.right + 1) found.push(`table: ${table.innerText.slice(0, 40)}`);
}
if (document.documentElement.scrollWidth > width) found.push(`page: ${document.documentElement.scrollWidth}`);
return found;
"""
_FOCUSED = """
const element = document.activeElement;
if (!element || element === document.body) return null;
const style = getComputedStyle(element), ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
const ids = [];
for (let one = element; one; one = one.parentElement) if (one.id) ids.push(one.id);
const box = element.getBoundingClientRect();
return { ids, seen: ring || style.boxShadow !== "none" || box.width * box.height <= 1, tag: element.tagName };
"""


def pale_texts(browser: Browser) -> list[str]:
    """Texts that do not stand out from their ground, with their contrast."""
    return list(browser.driver.execute_script(_PALE))


def outside(browser: Browser) -> list[str]:
    """What sticks out of the window to its sides."""
    return list(browser.driver.execute_script(_OUTSIDE))


def reached_by_tab(browser: Browser, presses: int) -> list[dict[str, Any]]:
    """What has the focus after each press of the tab key, from the top of the page; with the ids around it."""
    browser.driver.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = []
    for _ in range(presses):
        browser.press(Keys.TAB)
        reached.append(browser.driver.execute_script(_FOCUSED) or {"ids": [], "seen": True, "tag": ""})
    return reached

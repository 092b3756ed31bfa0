"""Chromium, headless, driven by selenium: what a user of a page sees and does."""

import json
import shutil

import pytest

# What the graph's page calls its parts.
NAMES = ".node .name"
STEP = "#step-text"

OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--force-prefers-reduced-motion", "--hide-scrollbars", "--lang=en",
]  # fmt: skip


# As the accessibility guidelines have it; what is half transparent is laid upon what is behind it.
CONTRAST = """
  const channel = x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const channels = color => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data]; };
  const behind = element => {
    const layers = [channels('canvas')];
    for (let x = element, i = 1; x; x = x.parentElement)
      layers.splice(1, 0, channels(getComputedStyle(x).backgroundColor));
    return layers.reduce((under, c) => c.slice(0, 3).map(
      (v, i) => (v * c[3] + under[i] * (255 - c[3])) / 255)); };
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || element.closest('script, style, .visually-hidden, .node')) continue;
    if (!element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const color = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(channels(color)), light(behind(element))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text]); }
  return found;"""


def start(profile, size=(1400, 900)):
    """Return a browser with a new profile, or skip the test that asks where there is none.

    It notes what pages ask of the network and what they complain of.
    """
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="needs selenium: pip install 'minigrad[browser]'"
    )
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    browser, driver = next(filter(None, found), None), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in (*OPTIONS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


class Page:
    """A page that was opened from disk."""

    def __init__(self, chromium, path):
        self.chromium = chromium
        self.noted()  # forget what was before
        self.prefer("light")
        from selenium.webdriver.support.wait import WebDriverWait

        chromium.get(path.as_uri())  # which may come back while a large page is still being read
        complete = "return document.readyState == 'complete'"
        WebDriverWait(chromium, 60, 0.05).until(lambda _: self.run(complete))

    def run(self, script, *arguments):
        """Run a script in the page and return its result."""
        return self.chromium.execute_script(script, *arguments)

    def all(self, selector):
        return self.chromium.find_elements("css selector", selector)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.textContent", selector)

    def texts(self, selector):
        script = "return [...document.querySelectorAll(arguments[0])].map(x => x.textContent)"
        return self.run(script, selector)

    def click(self, selector):
        """Click on the middle of an element, with the mouse."""
        self.actions().click(self.all(selector)[0]).perform()

    def actions(self):
        from selenium.webdriver.common.action_chains import ActionChains

        return ActionChains(self.chromium)

    def press(self, *keys):
        """Press keys, by selenium's names or as they are, wherever the focus is."""
        from selenium.webdriver.common.keys import Keys

        for key in keys:
            self.actions().send_keys(getattr(Keys, key, key)).perform()

    def focus(self):
        """Return role, name and key of what has the focus."""
        script = """const x = document.activeElement;
            return [x.getAttribute('role') || x.tagName.toLowerCase(),
              x.getAttribute('aria-label') || x.textContent.trim() || x.placeholder,
              x.dataset.key || null]"""
        return tuple(self.run(script))

    def numbers(self, selector):
        """Return the numbers that are shown inside an element."""
        script = (
            "return [...document.querySelectorAll(arguments[0] + ' [data-number]')]"
            ".map(x => Number(x.dataset.number))"
        )
        return self.run(script, selector)

    def accessible(self):
        """Return role and name of everything, as the browser tells a screen reader."""
        tree = self.chromium.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        seen = [node for node in tree if not node["ignored"]]
        return [(x["role"]["value"], x.get("name", {}).get("value", "")) for x in seen]

    def contrasts(self):
        """Return the contrast of every text outside of nodes with what is behind it."""
        return self.run(CONTRAST)

    def prefer(self, scheme):
        """Say that the user prefers "light" or "dark"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def noted(self):
        """Return what the console said, and what was asked of the network, since last time."""
        said = [entry["message"] for entry in self.chromium.get_log("browser")]
        logged = [json.loads(x["message"])["message"] for x in self.chromium.get_log("performance")]
        asked = [m["params"] for m in logged if m["method"] == "Network.requestWillBeSent"]
        urls = [x["request"]["url"] for x in asked if x["documentURL"].startswith("file:")]
        return said, [url for url in urls if not url.startswith(("file:", "data:"))]

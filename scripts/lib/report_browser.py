"""report_browser.py PROJECT.html LARGE.html DIRECTORY: opens pages of `strixlock report` in headless Chromium.

Speaks the DevTools protocol over a pipe, so that nothing but Python is needed. Every connection of the browser would go through a
proxy on loopback that writes down what it is asked for, and refuses it.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-domain-reliability",
           "--disable-features=OptimizationHints,MediaRouter,Translate,NetworkTimeServiceQuerying,AutofillServerCommunication",
           "--remote-debugging-pipe"]

# Hosts that the browser asks for things of its own, whatever it opens. No page of ours names them.
OF_THE_BROWSER = ("google.com", "googleapis.com", "gstatic.com", "gvt1.com")


class Proxy:
    """A proxy that refuses everything and remembers the first line of it."""

    def __init__(self):
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def address(self):
        return "127.0.0.1:%d" % self.socket.getsockname()[1]

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                line = connection.recv(4096).split(b"\r\n")[0].decode(errors="replace")
                if not any(host in line for host in OF_THE_BROWSER):
                    self.asked.append(line)
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class Browser:
    """A browser with one page."""

    def __init__(self, proxy):
        self.profile = tempfile.mkdtemp()
        to_browser, to_us = os.pipe(), os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        command = ["sh", "-c", 'exec "$@" 3<&%d 4>&%d' % (to_browser[0], to_us[1]), "sh", shutil.which("chromium"), *OPTIONS,
                   "--proxy-server=" + proxy.address(), "--proxy-bypass-list=<-loopback>", "--user-data-dir=" + self.profile, "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=[to_browser[0], to_us[1]], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(to_browser[0])
        os.close(to_us[1])
        self.write, self.read = os.fdopen(to_browser[1], "wb"), os.fdopen(to_us[0], "rb")
        self.number, self.rest, self.events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Security"):
            self.call(domain + ".enable")

    def message(self):
        while b"\0" not in self.rest:
            piece = os.read(self.read.fileno(), 1 << 20)
            if not piece:
                raise SystemExit("the browser ended")
            self.rest += piece
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if getattr(self, "session", None):
            request["sessionId"] = self.session
        self.write.write(json.dumps(request).encode() + b"\0")
        self.write.flush()
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path, width, scheme, scripts=True):
        """Opens a page. Returns the addresses that it asked for, and what the console says."""
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.message())
        self.evaluate("1") if scripts else None
        asked = [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        said = [event["params"] for event in self.events if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
        return asked, said

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def key(self, name):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode={"Tab": 9, "ArrowRight": 39}.get(name, 0))

    def picture(self, path, height=None):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.call("Browser.close")
        self.process.wait(20)
        shutil.rmtree(self.profile, ignore_errors=True)


def demand(holds, what):
    if not holds:
        raise SystemExit(f"report_browser.py: {what}")


def look(browser, path, directory, name):
    """Opens a page in all sizes and colours, and takes pictures."""
    demand(not any(host in Path(path).read_text() for host in OF_THE_BROWSER), f"{name} names a host of the browser's own")
    for width in (1280, 400):
        for scheme in ("light", "dark"):
            asked, said = browser.open(path, width, scheme)
            demand(asked == [Path(path).resolve().as_uri()], f"{name} asks for {asked}")
            demand(not said, f"the console says {said}")
            wide = browser.evaluate("document.documentElement.scrollWidth")
            demand(wide <= width, f"{name} is {wide} pixels wide in a window of {width}")
            browser.picture(directory / f"{name}-{width}-{scheme}.png")
    print(f"{name}: one address, its own; nothing on the console; at most as wide as the window; "
          f"{Path(path).stat().st_size} bytes")


def use(browser, path, name):
    """Uses a page from the keyboard."""
    browser.open(path, 1280, "light")
    demand(browser.evaluate("getComputedStyle(document.querySelector('h1')).fontWeight") != "", "no style")
    browser.evaluate("document.querySelector('.treemap a').focus()")
    first = browser.evaluate("document.querySelector('.chain').textContent")
    browser.key("ArrowRight")
    second = browser.evaluate("document.querySelector('.chain').textContent")
    demand(first and second and first != second, f"arrows do nothing: {first!r} {second!r}")
    steps = browser.evaluate("document.querySelectorAll('.chain li').length")
    demand(steps >= 2, f"the chain has {steps} steps: {second!r}")
    tabs = browser.evaluate("document.querySelectorAll('.treemap a:not([tabindex=\"-1\"])').length")
    drawings = browser.evaluate("document.querySelectorAll('.treemap').length")
    demand(tabs == drawings, f"{tabs} stops for Tab in {drawings} treemaps")
    browser.evaluate("document.querySelector('.files summary').click()")
    browser.evaluate("(() => { const f = document.querySelector('.filter'); f.value = 'librocblas'; f.dispatchEvent(new Event('input')); })()")
    rows = browser.evaluate("[...document.querySelectorAll('.files')[0].querySelectorAll('tbody tr')].filter(r => !r.hidden).length")
    demand(rows > 0, "the filter leaves no row")
    print(f"{name}: chains of {steps} steps by arrows, {rows} rows by the filter: {second}")


def without_scripts(browser, path, directory, name):
    asked, said = browser.open(path, 1280, "light", scripts=False)
    demand(asked == [Path(path).resolve().as_uri()], f"without scripts {name} asks for {asked}")
    browser.picture(directory / f"{name}-no-script.png")
    print(f"{name}: opens without scripts")


def main():
    project, large, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    proxy = Proxy()
    browser = Browser(proxy)
    # What the measure finds: a page that loads something.
    leaky = directory / "leaky.html"
    leaky.write_text("<img src='http://leak.example/x.png'><p style='color: red'>x")
    asked, _ = browser.open(leaky, 400, "light")
    demand(len(asked) == 2 and any("leak.example" in line for line in proxy.asked), f"a leak is not seen: {asked} {proxy.asked}")
    # The same, in a page of ours: the policy stops it before it is asked for.
    injected = directory / "injected.html"
    text = Path(project).read_text().replace("<h1>", "<h1><img src='http://leak.example/y.png'><script>document.title = 'x'</script>", 1)
    injected.write_text(text)
    before = len(proxy.asked)
    _, said = browser.open(injected, 400, "light")
    demand(any("Content Security Policy" in json.dumps(one) for one in said), f"the policy stops nothing: {said}")
    demand(browser.evaluate("document.title") != "x", "a script ran that is not ours")
    demand(len(proxy.asked) == before, f"the policy let through {proxy.asked[before:]}")
    print("a page that loads something is found out; planted into ours, the policy stops it")
    for path, name in ((project, "project"), (large, "large")):
        look(browser, path, directory, name)
        use(browser, path, name)
        without_scripts(browser, path, directory, name)
    browser.open(project, 1180, "light")
    browser.picture(directory / "docs.png", height=1960)
    pdf = browser.call("Page.printToPDF", printBackground=True)["data"]
    (directory / "project.pdf").write_bytes(base64.b64decode(pdf))
    browser.close()
    demand(len(proxy.asked) == before, f"something left the browser: {proxy.asked[before:]}")
    print(f"requests that left the browser for the pages: 0 (proxy {proxy.address()})")


main()

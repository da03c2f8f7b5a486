"""Opens a page in headless Chromium, at two widths, and prints what a person would meet, as one line of JSON.

    page.py CHROMIUM FILE.html

Keys: console (messages of level warning and above), errors, sorted (the first column of the first table before and after
two clicks on its head), narrow (scroll and window width at 390 pixels), fetched (addresses that were asked for), charts,
pdf (bytes of the page when printed).
"""
import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket

browser, page = sys.argv[1], pathlib.Path(sys.argv[2]).resolve().as_uri()
profile = tempfile.mkdtemp()
flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
         "--remote-allow-origins=*", f"--user-data-dir={profile}", "about:blank"]
process = subprocess.Popen([browser, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    announced = pathlib.Path(profile, "DevToolsActivePort")
    for _ in range(300):
        if announced.exists() and len(announced.read_text().splitlines()) > 1:
            break
        time.sleep(0.1)
    port = announced.read_text().splitlines()[0]
    targets = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
    socket = websocket.create_connection(next(t for t in targets if t["type"] == "page")["webSocketDebuggerUrl"])
    socket.settimeout(30)
    said = {"console": [], "errors": [], "fetched": []}
    number = 0

    def heard(message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            said["console"].append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            said["console"].append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            said["errors"].append(str(params["exceptionDetails"]))
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            said["fetched"].append(params["request"]["url"])
        return method

    def call(method, **params):
        global number
        number += 1
        socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(socket.recv())
            if message.get("id") == number:
                return message.get("result", message)
            heard(message)

    def value(expression):
        return call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)["result"].get("value")

    def size(width):
        call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    for domain in ("Runtime", "Log", "Network", "Page"):
        call(f"{domain}.enable")
    size(1200)
    call("Page.navigate", url=page)
    while heard(json.loads(socket.recv())) != "Page.loadEventFired":
        pass
    column = "[...document.querySelectorAll('table.sortable')[0].querySelectorAll('tbody tr')].map(r => r.cells[0].textContent)"
    click = "document.querySelectorAll('table.sortable')[0].querySelector('thead th').click()"
    wait = "new Promise(done => setTimeout(done, 400))"
    said["sorted"] = [value(column)]
    for _ in range(2):
        value(click)
        value(wait)
        said["sorted"].append(value(column))
    said["charts"] = value("document.querySelectorAll('.chart canvas').length")
    size(390)
    value(wait)
    said["narrow"] = value("[document.documentElement.scrollWidth, window.innerWidth]")
    said["pdf"] = len(base64.b64decode(call("Page.printToPDF")["data"]))
    said["marks"] = value("document.querySelectorAll('b, i, marquee').length")
    print(json.dumps(said))
finally:
    process.kill()

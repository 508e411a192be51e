"""A plain static file server on loopback: ranges, validators, and a listing of links; bodies go out by sendfile."""

import http.server
import os
import re
import threading
from email.utils import formatdate


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        root = self.server.root
        if self.path == "/":
            links = "".join(f'<a href="{name}">{name}</a>\r\n' for name in sorted(os.listdir(root)))
            text = f"<html><body><pre>{links}</pre></body></html>".encode()
            self.head(200, len(text), {"Content-Type": "text/html"})
            if with_body:
                self.wfile.write(text)
            return
        name = self.path.lstrip("/")
        if name not in os.listdir(root):
            self.head(404, 0, {})
            return
        with open(root / name, "rb") as file:
            about = os.fstat(file.fileno())
            validator = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
            fields = {"ETag": validator, "Accept-Ranges": "bytes", "Last-Modified": formatdate(about.st_mtime, usegmt=True)}
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first = int(asked[1]) if asked and self.headers.get("If-Range", validator) == validator else 0
            if first >= about.st_size:
                self.head(416, 0, {"Content-Range": f"bytes */{about.st_size}"})
                return
            if first:
                fields["Content-Range"] = f"bytes {first}-{about.st_size - 1}/{about.st_size}"
            self.head(206 if first else 200, about.st_size - first, fields)
            while with_body and first < about.st_size:
                first += os.sendfile(self.connection.fileno(), file.fileno(), first, about.st_size - first)

    def head(self, status, length, fields):
        self.send_response(status)
        for name, value in {**fields, "Content-Length": length}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(root):
    """Serves `root` until the process ends. Returns the URL, which ends with a slash."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.root = root
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/"

"""Serves one file over https on loopback, with the requests that `-hf` of llama.cpp makes to the Hugging Face hub.

https_hub.py PORT CERTIFICATE KEY OWNER/NAME FILE
"""

import hashlib
import json
import pathlib
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, certificate, key, repository, file = sys.argv[1:]
contents = pathlib.Path(file).read_bytes()
name = "tiny-F32.gguf"
commit = "1" * 40
digest = hashlib.sha256(contents).hexdigest()


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path = self.path.split("?")[0]
        if path == f"/api/models/{repository}/refs":
            return json.dumps({"branches": [{"name": "main", "targetCommit": commit}]}).encode()
        if path == f"/api/models/{repository}/tree/{commit}":
            lfs = {"oid": digest, "size": len(contents)}
            return json.dumps([{"type": "file", "path": name, "oid": commit, "size": len(contents), "lfs": lfs}]).encode()
        if path == f"/{repository}/resolve/{commit}/{name}":
            return contents
        return None

    def do_GET(self):
        body = self.answer()
        start, status = 0, 200 if body is not None else 404
        body = body or b"{}"
        if status == 200 and self.headers.get("Range", "").startswith("bytes="):
            start, status = int(self.headers["Range"][6:].split("-")[0]), 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{digest}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[start:])

    do_HEAD = do_GET


server = ThreadingHTTPServer(("127.0.0.1", int(port)), Hub)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()

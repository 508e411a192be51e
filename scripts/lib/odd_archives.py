"""Archives that programs read differently (lies), and archives that need much time, memory or disk (bombs)."""

import gzip
import itertools
import shutil
import subprocess

BLOCK = 512


def header(kind, name, size=0, target=b"", mode=b"0000644\0", magic=b"ustar\x0000", prefix=b"", field=None):
    block = bytearray(BLOCK)
    for at, bytes_ in [(0, name), (100, mode), (124, field or b"%011o\0" % size), (157, target), (257, magic), (345, prefix)]:
        block[at:at + len(bytes_)] = bytes_
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def filled(body):
    return body + bytes(-len(body) % BLOCK)


def entry(kind, name, body=b"", **how):
    return header(kind, name, len(body), **how) + filled(body)


def file(name, body=b"x", **how):
    return entry(b"0", name, body, **how)


def link(name, target, kind=b"2", **how):
    return header(kind, name, target=target, **how)


def long(kind, text):
    return entry(kind, b"././@LongLink", text + b"\0", magic=b"ustar  \0")


def pax(kind, *records):
    body = b""
    for key, value in records:
        rest = b" " + key + b"=" + value + b"\n"
        length = next(n for n in itertools.count(len(rest)) if len(str(n)) + len(rest) == n)
        body += str(length).encode() + rest
    return entry(kind, b"PaxHeaders/x", body)


def sparse(real, slots, body):
    block = bytearray(header(b"S", b"sparse", len(body), magic=b"ustar  \0"))
    for at, (offset, length) in enumerate(slots):
        block[386 + at * 24:410 + at * 24] = b"%011o\0%011o\0" % (offset, length)
    block[483:495] = b"%011o\0" % real
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + filled(body)


END = bytes(2 * BLOCK)


def lies():
    """Returns names and bytes of archives that two programs read differently."""
    a = file(b"a")
    inner = file(b"hidden")
    size = {"field": b"%011o\0" % len(inner)}
    sized = lambda field: file(b"a", field=field)
    b256 = lambda *first: sized((bytes(first) + bytes(12))[:11] + b"\x01")
    comment = pax(b"g", (b"comment", b"c"))
    cases = {
        "hard-body": [a, link(b"b", b"a", b"1", **size), inner],
        "sym-body": [link(b"b", b"a", **size), inner],
        "dir-body": [header(b"5", b"d", **size), inner],
        "fifo-body": [header(b"6", b"p", **size), inner],
        "x-size-link": [pax(b"x", (b"size", b"512")), link(b"b", b"a"), inner],
        "x-g": [pax(b"x", (b"path", b"b")), comment, a],
        "x-g-size": [pax(b"x", (b"size", b"0")), comment, a],
        "L-g": [long(b"L", b"b"), comment, a],
        "K-g": [long(b"K", b"b"), comment, link(b"c", b"a")],
        "x-x": [pax(b"x", (b"path", b"b")), pax(b"x", (b"mtime", b"1")), a],
        "L-L": [long(b"L", b"b"), long(b"L", b"c"), a],
        "pax-path-twice": [pax(b"x", (b"path", b"b"), (b"path", b"c")), a],
        "pax-linkpath-twice": [pax(b"x", (b"linkpath", b"b"), (b"linkpath", b"c")), link(b"d", b"a")],
        "pax-size-twice": [pax(b"x", (b"size", b"0"), (b"size", b"1")), a],
        "pax-L": [pax(b"x", (b"path", b"b")), long(b"L", b"c"), a],
        "L-pax": [long(b"L", b"c"), pax(b"x", (b"path", b"b")), a],
        "K-pax": [long(b"K", b"c"), pax(b"x", (b"linkpath", b"b")), link(b"d", b"a")],
        "x-mtime-L": [pax(b"x", (b"mtime", b"1")), long(b"L", b"c"), a],
        "L-x-mtime": [long(b"L", b"c"), pax(b"x", (b"mtime", b"1")), a],
        "K-L": [long(b"K", b"a"), long(b"L", b"c"), link(b"d", b"b")],
        "prefix-ver-nul": [file(b"a", magic=b"ustar\0\0\0", prefix=b"p")],
        "prefix-ver-spaces": [file(b"a", magic=b"ustar\0  ", prefix=b"p")],
        "prefix-ver-01": [file(b"a", magic=b"ustar\x0001", prefix=b"p")],
        "prefix-v7": [file(b"a", magic=bytes(8), prefix=b"p")],
        "prefix-gnu": [file(b"a", magic=b"ustar  \0", prefix=b"14735702460")],
        "trail-slash-AREG": [header(b"\0", b"d/"), file(b"d/a")],
        "trail-slash-0": [header(b"0", b"d/"), file(b"e")],
        "trail-slash-7": [header(b"7", b"d/"), file(b"e")],
        "trail-slash-body": [file(b"d/"), file(b"e")],
        "trail-slash-link": [link(b"d/", b"e"), file(b"e")],
        "trail-dot": [file(b"d/."), file(b"e")],
        "L-trailslash": [long(b"L", b"d/"), header(b"\0", b"x")],
        "L-of-slash": [long(b"L", b"d"), header(b"\0", b"x/")],
        "pax-trail-slash": [pax(b"x", (b"path", b"d/")), header(b"0", b"x")],
        "size-b256": [b256(0x80)],
        "size-b256-hi": [b256(0x80, 0, 0, 1)],
        "size-b256-81": [b256(0x81)],
        "size-b256-c0": [b256(0xC0)],
        "size-b256-ff": [b256(0xFF)],
        "size-letters": [sized(b"0000000001x\0")],
        "size-minus": [sized(b"-0000000001\0")],
        "size-blank": [sized(b" " * 12)],
        "size-nul-first": [sized(b"\x0000000000001"[:12])],
        "size-two": [sized(b"0000000 001\0")],
        "size-base64": [sized(b"+AAAAAAAAAB\0")],
        "g-path": [pax(b"g", (b"path", b"b")), a],
        "g-size": [pax(b"g", (b"size", b"0")), a],
        "g-linkpath": [pax(b"g", (b"linkpath", b"b")), a, link(b"c", b"a")],
        "g-sparse": [pax(b"g", (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")), a],
        "pax-path-empty": [pax(b"x", (b"path", b"")), a],
        "pax-path-nul": [pax(b"x", (b"path", b"b\0c")), a],
        "pax-raw-short": [entry(b"x", b"p", b"10 path=b"), a],
        "pax-raw-long": [entry(b"x", b"p", b"99 path=b\n"), a],
        "pax-raw-off": [entry(b"x", b"p", b"8 path=b\n"), a],
        "pax-raw-blank": [entry(b"x", b"p", b" 10 path=b\n"), a],
        "pax-raw-nul": [entry(b"x", b"p", b"9 path=b\n\0\0"), a],
        "pax-raw-no-key": [entry(b"x", b"p", b"6 =bc\n"), a],
        "pax-end": [a, pax(b"x", (b"path", b"b"))],
        "long-nul": [long(b"L", b"b\0c"), a],
        "sparse-good": [sparse(5000, [(512, 512), (4000, 100), (5000, 0)], b"x" * 612)],
        "sparse-part": [sparse(5000, [(0, 2), (4000, 1), (5000, 0)], b"xyz")],
        "sparse-no-end": [sparse(5000, [(0, 512)], b"x" * 512)],
        "sparse-back": [sparse(5000, [(2000, 512), (0, 512)], b"x" * 1024)],
        "sparse-over": [sparse(100, [(0, 512)], b"x" * 512)],
        "V7": [header(b"\0", b"d/", magic=bytes(8)), file(b"d/a", magic=bytes(8))],
        "absolute": [file(b"/strixlock-canary/a"), link(b"b", b"/strixlock-canary/a", b"1")],
        "root": [header(b"5", b"/"), header(b"5", b"./"), file(b"./a")],
        "upwards": [file(b"../canary/file")],
        "upwards-absolute": [file(b"/../canary/file")],
        "through-link": [link(b"way", b"../canary"), file(b"way/file")],
        "hard-outside": [link(b"h", b"../canary/file", b"1")],
        "twice": [file(b"a"), file(b"a", b"y")],
        "deep": [long(b"L", b"d/" * 70 + b"a"), file(b"a")],
    }
    cases = {name: b"".join(parts) + END for name, parts in cases.items()}
    cases["zeros-behind"] = cases["V7"] + bytes(1 << 20)
    cases["bytes-behind"] = cases["V7"] + b"x" * BLOCK
    cases["no-end"] = file(b"a")
    cases["one-end"] = file(b"a") + bytes(BLOCK)
    cases["one-zero-block"] = file(b"a") + bytes(BLOCK) + file(b"b") + END
    return cases


def packed(pieces, path):
    """Writes pieces to a file through gzip."""
    with gzip.open(path, "wb", compresslevel=6) as out:
        for piece in pieces:
            out.write(piece)


def piped(pieces, path, *command):
    """Writes pieces to a file through a program. Returns false if the program fails."""
    with open(path, "wb") as out, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL) as program:
        try:
            for piece in pieces:
                program.stdin.write(piece)
            program.stdin.close()
        except BrokenPipeError:
            return False
    return program.returncode == 0


def bombs(place, wanted):
    """Makes small archives that unpack to much, if `wanted` says so of their names, and yields their files. Some stay
    just below the limits of a tree, where memory peaks; some go far beyond."""
    most = lambda name: b"%09d" % name
    text = lambda length: (b"x" * 200 + b"/") * (length // 201)
    zeros = bytes(1 << 20)
    makers = {
        "names": (long(b"L", text(2800) + most(n)) + file(b"x", b"") for n in range(33_000)),
        "names-many": (long(b"L", text(2800) + most(n)) + file(b"x", b"") for n in range(200_000)),
        "entries": (file(most(n), b"") for n in range(299_000)),
        "entries-many": (file(most(n), b"") for n in range(700_000)),
        "links": (long(b"K", text(4000) + most(n)) + link(most(n), b"x") for n in range(24_000)),
        "links-many": (long(b"K", text(4000) + most(n)) + link(most(n), b"x") for n in range(200_000)),
        "absolute-links": (long(b"K", b"/" + text(4000) + most(n)) + link(most(n), b"x") for n in range(24_000)),
        "hard-links": itertools.chain([long(b"L", text(2800) + b"a") + file(b"x")],
                                      (long(b"K", text(2800) + b"a") + link(most(n), b"x", b"1") for n in range(33_000))),
        "absolute-names": (header(b"5", b"/" + most(n)) for n in range(100_000)),
        "setuid": (file(most(n), b"", mode=b"0004755\0") for n in range(100_000)),
        "prefix": itertools.chain((file(b"a -> " + most(n), b"") for n in range(40_000)), [link(b"a", b"z")],
                                  (long(b"K", b"a/../" * 700) + link(b"l" + most(n), b"x") for n in range(40))),
        "deep-links": itertools.chain((long(b"L", text(2800) + most(n)) + file(b"x", b"") for n in range(20_000)),
                                      (long(b"K", b"y/../" * 700) + link(b"l" + most(n), b"x") for n in range(300))),
        "link-chain": itertools.chain((long(b"K", b"c%d/" % (n + 1) + b"a/../" * 700) + link(b"c%d" % n, b"x") for n in range(41)),
                                      (link(most(n), b"c0/../x") for n in range(100_000))),
        "whiteouts": (file(b".wh." + most(n), b"") for n in range(400_000)),
        "whiteouts-long": (long(b"L", text(2800) + b".wh." + most(n)) + file(b"x", b"") for n in range(60_000)),
        "devices": (header(b"3", most(n)) for n in range(400_000)),
        "pax-header": [pax(b"x", *((b"k%d" % n, b"v" * 90) for n in range(9_000))), file(b"a")],
        "pax-header-long": [pax(b"x", (b"comment", b"v" * (64 << 20))), file(b"a")],
        "zeros-inside": itertools.chain([header(b"0", b"zeros", field=b"\x80" + (3 << 30).to_bytes(11, "big"))],
                                        itertools.repeat(zeros, 3 << 10), [END]),
        "zeros-behind": itertools.chain([file(b"a"), END], itertools.repeat(zeros, 2 << 10)),
        "sparse": [sparse((1 << 33) - 512, [(0, 512), ((1 << 33) - 512, 0)], b"x" * 512), END],
    }
    for name, pieces in makers.items():
        path = place / f"bomb-{name}.tar.gz"
        if not wanted(path.name):
            continue
        packed(itertools.chain(pieces, [END]), path)
        yield path
    # Windows that only bombs need: one above the limit, and the largest allowed one, filled before names that take as
    # much memory as they may.
    window = itertools.chain([header(b"0", b"zeros", 150 << 20)], itertools.repeat(zeros, 150),
                             (long(b"L", text(2800) + b".wh." + most(n)) + file(b"x", b"") for n in range(33_000)), [END])
    for name, command, pieces in [
        ("bomb-window.tar.xz", ["xz", "--lzma2=dict=1GiB", "-c"], [file(b"a") + END]),
        ("bomb-window-whiteouts.tar.zst", ["zstd", "--long=27", "-q", "-c"], window),
    ]:
        path = place / name
        if wanted(name) and shutil.which(command[0]) and piped(pieces, path, *command):
            yield path

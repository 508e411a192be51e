"""report_runtime.py INDEX VERSION DIRECTORY: makes a tarball like that of an index, with many more files.

Kernels for the GPU, which a runtime keeps, and what it leaves out: kernels for other GPUs, the compiler, headers, documentation.
"""

import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path

OPERATIONS = [f"Type_{types}_Contraction_l_{order}_Cijk_Dijk" for types in ("HH", "SS", "HH_HPA", "BB_HPA", "I8II_HPA", "DD")
              for order in ("Ailk_Bjlk", "Ailk_Bljk", "Alik_Bljk", "Alik_Bjlk")]


def noise(name, size):
    """Returns bytes that depend on the name alone, and compress badly."""
    block = hashlib.shake_256(name.encode()).digest(min(size, 1 << 16))
    return (block * (size // len(block) + 1))[:size] if size else b""


def size(name, most):
    """Returns a size as sizes of files are: many small, few large."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return int(most * share**4) + 300


def files():
    """Yields paths and sizes."""
    for target in ("gfx1151", "gfx1100", "gfx1201", "gfx942"):
        flat = f"lib/rocblas/library/{target}"
        for operation in OPERATIONS:
            for kind, most in (("co", 900_000), ("dat", 60_000), ("hsaco", 300_000)):
                path = f"{flat}/TensileLibrary_{operation}_{target}.{kind}"
                yield path, size(path, most)
        for number in range(60):
            path = f"lib/hipblaslt/library/{target}/TensileLibrary_HH_HPA_SolutionSpecialised_{number:03}_{target}.co"
            yield path, size(path, 1_500_000)
    for number in range(40):
        path = f"lib/llvm/lib/clang/22/lib/linux/libclang_rt.part{number:02}.a"
        yield path, size(path, 4_000_000)
    for number in range(300):
        yield f"include/rocprim/detail/part_{number:03}.hpp", size(f"h{number}", 90_000)
    for number in range(60):
        yield f"share/doc/rocm/guide_{number:02}.html", size(f"d{number}", 400_000)
    yield "lib/llvm/bin/clang-22", 9_000_000
    yield "lib/librocfft.so.0.1.60200", 5_000_000


index, version, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
directory.mkdir(parents=True, exist_ok=True)
name = f"therock-dist-linux-gfx1151-{version}.tar.gz"
with urllib.request.urlopen(index + name) as answer:
    original = answer.read()
with tarfile.open(fileobj=io.BytesIO(original)) as old, tarfile.open(directory / name, "w:gz", compresslevel=1) as new:
    there = set()
    for member in old:
        there.add(member.name.removeprefix("./").rstrip("/"))
        new.addfile(member, old.extractfile(member) if member.isfile() else None)
    for path, length in files():
        for above in reversed(Path(path).parents):
            if str(above) != "." and str(above) not in there:
                there.add(str(above))
                info = tarfile.TarInfo(f"./{above}")
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                new.addfile(info)
        if path not in there:
            info = tarfile.TarInfo(f"./{path}")
            info.size, info.mode = length, 0o755 if "/bin/" in path else 0o644
            new.addfile(info, io.BytesIO(noise(path, length)))
print(directory / name)

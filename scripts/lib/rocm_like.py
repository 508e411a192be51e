"""rocm_like.py DIRECTORY VERSION: makes a tarball in the layout of AMD's nightlies, with a working ROCm tree, from
distribution packages.

Compiler, HIP headers and runtime, device libraries, rocBLAS and hipBLAS of Debian unstable, through the machine's own apt. About
0.9 GB are fetched and kept in DIRECTORY/apt; the tarball has 0.5 GB or so. It has no .kpack files, and of rocBLAS's kernels only
those of one architecture, as a nightly for one family has them. Debian builds none for gfx1151: gfx1100's have its name here, and
nothing runs them.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from private_apt import PrivateApt

TARGET, KERNELS, MULTIARCH = "gfx1151", "gfx1100", "x86_64-linux-gnu"
LLVM = 21
WANTED = [f"clang-{LLVM}", f"clang-tools-{LLVM}", f"lld-{LLVM}", f"llvm-{LLVM}", f"libclang-rt-{LLVM}-dev", f"rocm-device-libs-{LLVM}",
          "hipcc", "libamdhip64-6", "libamdhip64-dev", "libamd-comgr-dev", "libhsa-runtime-dev", "librocblas-dev", "libhipblas-dev",
          "libhipblas-common-dev", "libhipblaslt1", "librocsolver0", "librocsparse1", "rocminfo", "rocm-smi", "rocm-cmake",
          "librocprim-dev", "libhipcub-dev", "librocthrust-dev"]
# Packages of their closure that are part of ROCm; the rest belongs to the base system.
OURS = re.compile(r"clang|lld|llvm|libclang|libllvm|liblld|rocm|hipcc|libamd|libhsa|libhip|libroc|libfmt|libmsgpack|libdrm|libnuma|libelf|libz3"
                  r"|libedit|libbsd0|libmd0|libpfm")


def say(text):
    print(text, file=sys.stderr, flush=True)


def merge(source, destination):
    """Moves a directory's contents into another directory, which may have some of the same subdirectories."""
    destination.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        there = destination / entry.name
        if entry.is_dir() and not entry.is_symlink() and there.is_dir():
            merge(entry, there)
        elif not os.path.lexists(there):
            shutil.move(entry, there)


def arrange(root, tree):
    """Moves files from Debian's places to AMD's: one prefix, with LLVM in lib/llvm."""
    usr = root / "usr"
    merge(usr / "lib" / f"llvm-{LLVM}", tree / "lib" / "llvm")
    merge(usr / "lib" / MULTIARCH, tree / "lib")
    for name in ("include", "bin", "libexec", "share"):
        if (usr / name).is_dir():
            merge(usr / name, tree / name)
    for name in ("doc", "man", "lintian", "bug", "bash-completion", "emacs", "python3"):
        shutil.rmtree(tree / "share" / name, ignore_errors=True)
    for archive in (tree / "lib" / "llvm" / "lib").glob("*.a"):
        archive.unlink()
    # The compiler's own libraries go beside it.
    for pattern in ("libLLVM*", "libclang*", "liblld*"):
        for path in (tree / "lib").glob(pattern):
            there = tree / "lib" / "llvm" / "lib" / path.name
            there.unlink(missing_ok=True)
            path.rename(there)


def repair_links(tree):
    """Points links into Debian's places to the same file here, or removes them."""
    files = {}
    for directory, _, names in os.walk(tree):
        for name in names:
            path = Path(directory, name)
            if path.exists() and (not path.is_symlink() or path.resolve().is_relative_to(tree)):
                files.setdefault(name, path)
    for directory, below, names in os.walk(tree):
        for path in (Path(directory, name) for name in below + names):
            if not path.is_symlink() or (path.exists() and path.resolve().is_relative_to(tree)):
                continue
            there = files.get(Path(os.readlink(path)).name)
            path.unlink()
            if there and there != path:
                path.symlink_to(os.path.relpath(there, path.parent))


def repair_cmake(tree):
    """Removes one step up from CMake files: lib/MULTIARCH/cmake/NAME is one level deeper than their place here."""
    steps = re.compile(r'get_filename_component\((\w+) "\$\{\1\}" PATH\)\n(?:get_filename_component\(\1 "\$\{\1\}" PATH\)\n)+')
    for path in (tree / "lib" / "cmake").rglob("*.cmake"):
        text = path.read_text(errors="surrogateescape")
        text = re.sub(r"(\$\{\w*(?:CURRENT_LIST_DIR|CURRENT_LIST_DIR_REAL|CONFIG_FILE_PATH|_DIR)\}/)\.\./((?:\.\./)+)", r"\1\2", text)
        text = steps.sub(lambda found: found[0][found[0].index("\n") + 1:], text)
        path.write_text(text.replace(f"lib/{MULTIARCH}", "lib"), errors="surrogateescape")


def magic(path):
    with open(path, "rb") as file:
        return file.read(4)


def repair_runpaths(tree):
    """Sets runpaths relative to each file, as AMD's have them; Debian's rely on the loader's default directories."""
    for places, runpath in (
        (["lib"], "$ORIGIN:$ORIGIN/llvm/lib"),
        (["bin", "libexec"], "$ORIGIN/../lib:$ORIGIN/../lib/llvm/lib"),
        (["lib/llvm/bin", "lib/llvm/lib"], "$ORIGIN:$ORIGIN/../lib:$ORIGIN/../.."),
    ):
        for place in places:
            for path in sorted((tree / place).glob("*")):
                if path.is_symlink() or not path.is_file() or magic(path) != b"\x7fELF":
                    continue
                os.chmod(path, 0o755)
                # Static programs have no runpath and need none.
                subprocess.run(["patchelf", "--set-rpath", runpath, path], check=False, stderr=subprocess.DEVNULL)


def finish(tree, version):
    """Adds what else AMD's trees have: links, provenance, kernels for one architecture."""
    (tree / "llvm").symlink_to("lib/llvm")
    # Debian's hipcc has the name of Debian's directory in it.
    (tree / "lib" / f"llvm-{LLVM}").symlink_to("llvm")
    bitcode = next((tree / "lib" / "llvm").glob("**/amdgcn/bitcode"))
    if not os.path.lexists(tree / "lib" / "llvm" / "amdgcn"):
        (tree / "lib" / "llvm" / "amdgcn").symlink_to(os.path.relpath(bitcode.parent, tree / "lib" / "llvm"))
    (tree / "amdgcn").symlink_to("lib/llvm/amdgcn")
    for tool in ("clang", "clang++"):
        (tree / "bin" / f"amd{tool}").symlink_to(f"../lib/llvm/bin/{tool}")
    # Debian has the kernels below a directory of the library's version, and for many architectures.
    for place in sorted((tree / "lib").glob("*blas*/*/library")):
        merge(place, place.parent.parent / "library")
        shutil.rmtree(place)
        place.symlink_to("../library")
    for path in sorted((tree / "lib").rglob("*gfx*")):
        if not path.is_file() or "blas" not in str(path.parent) or TARGET in path.name:
            continue
        if KERNELS in path.name:
            path.rename(path.with_name(path.name.replace(KERNELS, TARGET)))
        else:
            path.unlink()
    plain, commit = version.split("a")[0], hashlib.sha1(version.encode()).hexdigest()
    about = tree / "share" / "therock"
    about.mkdir(parents=True)
    (tree / ".info").mkdir()
    (tree / ".info" / "version").write_text(f"{plain}\n")
    (about / "dist_info.json").write_text(f'{{"dist_amdgpu_targets": "{TARGET}"}}\n')
    (about / "therock_manifest.json").write_text(
        f'{{"the_rock_commit": "{commit}", "rocm_version": "{plain}", "rocm_package_version": "{version}", "submodules": [], "flags": {{}}}}\n')


def main():
    directory, version = Path(sys.argv[1]).resolve(), sys.argv[2]
    tarball = directory / "served" / f"therock-dist-linux-{TARGET}-{version}.tar.gz"
    if tarball.exists():
        return
    root, tree = directory / "root", directory / "tree"
    for path in (root, tree):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    apt = PrivateApt(directory / "apt")
    names = [name for name in apt.closure(WANTED) if OURS.match(name)]
    say(f"fetching and unpacking {len(names)} packages")
    apt.unpack(names, root)
    arrange(root, tree)
    repair_links(tree)
    repair_cmake(tree)
    repair_runpaths(tree)
    finish(tree, version)
    say(f"packing {tarball.name}")
    tarball.parent.mkdir(exist_ok=True)
    part = tarball.with_suffix(".part")
    compress = "pigz -6" if shutil.which("pigz") else "gzip -6"
    subprocess.run(["bash", "-o", "pipefail", "-c", f'tar -C "$0" --owner=root --group=root -cf - . | {compress} > "$1"', tree, part], check=True)
    part.rename(tarball)
    shutil.rmtree(root)
    shutil.rmtree(tree)


main()

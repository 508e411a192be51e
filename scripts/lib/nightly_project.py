"""A project that pins one ROCm nightly, with manifest and lock in one directory, and the command line for it."""

MANIFEST = """requires = ">=0.1"
[inputs.rocm]
type = "rocm"
target = "gfx1151"
channel = "nightly"
version = "{version}"
sources = ["{url}"]
{settings}[outputs.rocm]
type = "rocm"
prefix = "/opt/rocm"
{outputs}"""


def write(project, version, url, settings="", outputs=""):
    """Writes the manifest. `settings` are extra lines of the input, `outputs` extra tables."""
    (project / "strix.toml").write_text(MANIFEST.format(version=version, url=url, settings=settings, outputs=outputs))


def command(program, store, project, *arguments):
    """Returns the words of a strixlock command in this project."""
    words = [program, "--quiet", "--store", store, "--manifest", project / "strix.toml", "--lock", project / "strix.lock", *arguments]
    return list(map(str, words))

"""A project that pins one nightly of ROCm, its manifest and lock side by side, and what strixlock is called with in it."""

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
    """Writes the manifest. `settings` are more lines of the input, `outputs` more tables."""
    (project / "strix.toml").write_text(MANIFEST.format(version=version, url=url, settings=settings, outputs=outputs))


def command(program, store, project, *arguments):
    """Returns the words of a command in this project."""
    words = [program, "--quiet", "--store", store, "--manifest", project / "strix.toml", "--lock", project / "strix.lock", *arguments]
    return list(map(str, words))

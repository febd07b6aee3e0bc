"""Modules compiled ahead, as an image's root is read-only: the same bytes for the same source, on any machine."""

import marshal
from importlib.util import MAGIC_NUMBER, source_hash

from core.images.tree import Entry, Tree, file

UNCHECKED = 1
"""Bit 0 of the flags: the source is known by its hash, which is not looked at again (PEP 552)."""
VERSION = 2
"""Later versions of marshal note which objects are the same one, which depends on what else the process holds."""


def with_bytecode(tree: Tree, tag: str) -> dict[str, Entry]:
    """The tree with the compiled twin of each of its modules; `tag` is the interpreter's, `cpython-311`."""
    made = dict(tree)
    for path, entry in tree.items():
        if path.endswith(".py") and entry.is_file and (compiled := _compiled(entry.read(), f"/{path}")):
            folder, _, name = path.rpartition("/")
            made[f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"] = file(compiled)
    return made


def _compiled(source: bytes, path: str) -> bytes:
    """Empty where it is not a module, such as a template."""
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return b""
    return MAGIC_NUMBER + UNCHECKED.to_bytes(4, "little") + source_hash(source) + marshal.dumps(code, VERSION)

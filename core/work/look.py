"""Whether a version can be released, asked before a release of it begins."""

from core.work.fetch import look as run

__all__ = ["run"]

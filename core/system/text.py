"""Text that is not ours, made safe where it comes in: logs, labels, column names, exceptions, answers."""

import re
from decimal import Decimal

MOST = 2000
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # an operating system command, such as a new window title
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # a string that a terminal would swallow
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # colours, cursor movements
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What turns the direction of text or hides in it: a line must read as its bytes stand.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str, most: int = MOST) -> str:
    """Without escape sequences, control and bidirectional characters; cut, with `…`, after `most` characters.

    Tabs and line ends stay. Escape sequences go whole, other control characters become `�`.
    """
    if len(text) <= most and text.isprintable():
        return text
    text = _ESCAPES.sub("", text[: 4 * most])
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _SURROGATES.sub("�", _CONTROL.sub("�", text))
    return text if len(text) <= most else text[: most - 1] + "…"


def escaped(text: str) -> str:
    """Every such character as JSON writes it, `\\u202e`: nothing is lost, and nothing is obeyed."""
    text = _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _SURROGATES.sub("�", _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def clean_line(text: str, most: int = MOST) -> str:
    """The same as one line: every stretch of blanks becomes one."""
    return " ".join(clean(text, most).split())


def in_digits(value: float, digits: int = 4) -> str:
    """A figure with as many digits as tell something, never with an exponent: `0.00002`, `12643`."""
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    return f"{value:.0f}" if abs(value) >= 1 else f"{Decimal(text):f}"


def rough(seconds: float) -> str:
    """A span as people say it: `1 d`, `1.5 h`, `10 min`, `20 s`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def elapsed(seconds: float) -> str:
    """How long something has gone on: `40 s`, `7 min`, `1 h 5 min`, as fine as is worth a word."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds < 10 else f"{seconds - seconds % 10:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Bytes as people say them: `412 B`, `38 kB`, `1.2 MB`."""
    for least, unit, digits in ((1e9, "GB", 1), (1e6, "MB", 1), (1e3, "kB", 0)):
        if count >= least:
            return f"{count / least:.{digits}f} {unit}"
    return f"{count:.0f} B"


def counted(count: int, what: str) -> str:
    """So many of something: `1 replica`, `3 replicas`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def span(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""What was promised and has not come true yet: aliases, a report, a removal, replicas."""

from tui.view import View


def pending(view: View) -> list[str]:
    """Each in words, with why it has not come true and how often it was tried."""
    found = []
    for one in view.endpoint.pending if view.endpoint else ():
        why = f": {one.why}" if one.why else ""
        tries = f", tried {one.tries} times" if one.tries > 1 else ""
        found.append(f"{one.what} pending{why}{tries}")
    return found

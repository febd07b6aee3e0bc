"""The pages of a link that answers a question, in HTML. Pure."""

from html import escape

from core.domain.gates import GateResult, Verdict
from core.state.confirmation import Confirmation, figures, next_share, share_now
from core.state.release import Release
from core.state.snapshot import Snapshot
from core.system.text import rough
from core.watch.answer_links import AnswerLink

GLYPHS = {GateResult.PASS: "✔", GateResult.FAIL: "✖", GateResult.INCONCLUSIVE: "?", GateResult.ERROR: "!"}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:2rem auto;padding:0 1rem}"
    "body{color:#222;background:#fff}"
    "dt{color:#666}dd{margin:0 0 .6rem}button,input{font:inherit;padding:.5rem 1rem}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}dt{color:#999}}"
)
NOT_VALID = "This link is not valid."
TYPED = "environment"
"""The field of the form in which production's name is typed."""


def said(text: str) -> str:
    """A page with one line."""
    return _page(f"<p>{escape(text)}</p>")


def asked(
    release: Release, link: AnswerLink, snapshot: Snapshot, now: float, wanted: Confirmation | None, wrong: str = ""
) -> str:
    """The question with what is known, and the one button that answers it; `wanted` is what must be typed first."""
    step = release.steps[link.question.index]
    question = step.question.question if step.question is not None else ""
    rows = [
        ("endpoint", f"{link.endpoint}, environment {release.environment}"),
        ("release", f"{release.id}, {release.plan.strategy}, begun by {release.by}"),
        ("new version", _version(release.version, release.slot)),
        ("serves now", _version(release.old_version, release.old)),
        ("traffic", _traffic(release, snapshot, now)),
        *((("gates", "\n".join(_verdict(one) for one in release.verdicts)),) if release.verdicts else ()),
        ("open for", rough(max(0.0, link.question.until - now))),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{escape(text).replace(chr(10), '<br>')}</dd>" for name, text in rows)
    typed = ""
    if wanted is not None:
        name = escape(wanted.environment)
        typed = f'<p><label>Type <b>{name}</b>: <input name="{TYPED}" autocomplete="off" required></label></p>'
    does = "Approve" if link.yes else "Reject, all traffic returns"
    error = f"<p><b>{escape(wrong)}</b></p>" if wrong else ""
    form = f'{error}<form method="post">{typed}<button>{does}</button></form>'
    return _page(f"<h1>{escape(question)}</h1><dl>{listed}</dl>{form}")


def _page(body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}<title>Quarterdeck</title></head><body>{body}</body></html>\n'


def _version(version: object, slot: str | None) -> str:
    label = getattr(version, "label", "")
    return f"{label} on {slot}" if label and slot else label or "nothing"


def _traffic(release: Release, snapshot: Snapshot, now: float) -> str:
    share = next_share(release)
    return figures(release, share_now(release, snapshot) if share is None else share, snapshot, now)


def _verdict(verdict: Verdict) -> str:
    dry = " (dry run)" if verdict.gate.dry_run else ""
    return f"{GLYPHS[verdict.outcome]} {verdict.gate.name} {verdict.why}{dry}"

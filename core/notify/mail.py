"""A notice by e-mail. `smtplib` blocks, so it runs in a thread; each of its waits is bounded."""

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from core.config.alerts import ReceiverSettings
from core.domain.errors import Failed, Unreachable
from core.notify import payloads
from core.notify.payloads import AnswerLinks
from core.notify.secrets import secret
from core.state.alert import Notice
from core.system.files import check_regular


async def send(
    receiver: ReceiverSettings, notice: Notice, environ: Mapping[str, str], links: AnswerLinks | None = None
) -> None:
    """One try; raises Unreachable where another may help, Failed where somebody must change something."""
    login = None
    if receiver.user_env and receiver.password_env:
        login = secret(receiver.user_env, environ), secret(receiver.password_env, environ)
    await asyncio.to_thread(_send, receiver, message(receiver, notice, links), login)


def message(receiver: ReceiverSettings, notice: Notice, links: AnswerLinks | None = None) -> EmailMessage:
    """The e-mail."""
    made = EmailMessage()
    # A line break in a header would begin another header.
    made["Subject"] = " ".join(f"[{notice.endpoint}] {notice.title}".split())
    made["From"] = receiver.sender or ""
    made["To"] = ", ".join(receiver.to)
    made["Date"] = formatdate(notice.at)
    made["Message-ID"] = make_msgid(domain="quarterdeck.invalid")
    made.set_content(payloads.body(notice, links))
    return made


def _send(receiver: ReceiverSettings, made: EmailMessage, login: tuple[str, str] | None) -> None:
    where = f"the mail server {receiver.host}:{receiver.port}"
    try:
        with _connected(receiver) as server:
            if login is not None:
                server.login(*login)
            refused = server.send_message(made)
    except smtplib.SMTPAuthenticationError:
        raise Failed(f"{where} did not take {receiver.user_env} and {receiver.password_env}") from None
    except smtplib.SMTPResponseException as error:
        said = f"{where} answered {error.smtp_code}"
        raise (Unreachable(said) if 400 <= error.smtp_code < 500 else Failed(said)) from None
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError) as error:
        raise Failed(f"{where}: {type(error).__name__}") from None
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"{where}: its certificate is not trusted: {error.verify_message}; name its CA in ca") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable(f"{where} can't be reached ({type(error).__name__})") from None
    if refused:
        raise Failed(f"{where} did not take {len(refused)} of {len(receiver.to)} addresses")


def _connected(receiver: ReceiverSettings) -> smtplib.SMTP:
    """A connection, encrypted unless the file says that it is not to be."""
    host, port, wait = receiver.host or "", receiver.port, receiver.timeout_s
    if receiver.tls == "none":
        return smtplib.SMTP(host, port, timeout=wait)
    if receiver.ca:
        check_regular(Path(receiver.ca))
    context = ssl.create_default_context(cafile=receiver.ca)
    if receiver.tls == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=wait, context=context)
    server = smtplib.SMTP(host, port, timeout=wait)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server

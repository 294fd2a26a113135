"""A mail server for the tests: aiosmtpd, told over standard input how to behave.

Lines in: {"behave": {...}} or {"listen": true|false}. Lines out: one when it is ready, one for each
order that was followed, and {"mail": {...}} for each mail that it has.
"behave": {"at": connect|ehlo|mail|rcpt|data|text, "how": answer|drop|stall, "answer": "451 no"}.
With "keep": true the text is kept before it drops or stalls.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

settings = json.loads(sys.argv[1])
behave = {}


def say(**line):
    print(json.dumps(line), flush=True)


async def misbehave(server, stage):
    """The answer at this stage, or nothing: go on as usual."""
    if behave.get("at") != stage:
        return None
    how = behave["how"]
    if how == "answer":
        return behave["answer"]
    if how == "stall":
        await asyncio.sleep(3600)
    server.transport.abort()
    return "421 gone"


def keep(envelope):
    text = envelope.content.decode("utf-8", "replace")
    say(mail={"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": text})


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        answer = await misbehave(server, "ehlo")
        return [answer] if answer else responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = await misbehave(server, "mail")
        if answer:
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await misbehave(server, "rcpt")
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if behave.get("at") == "text" and behave.get("keep"):
            keep(envelope)
            return await misbehave(server, "text")
        answer = await misbehave(server, "text")
        if answer:
            return answer
        keep(envelope)
        return "250 OK"


class Server(SMTP):
    async def smtp_DATA(self, arg):
        answer = await misbehave(self, "data")
        if answer:
            await self.push(answer)
            return
        await super().smtp_DATA(arg)

    async def _handle_client(self):
        if await misbehave(self, "connect"):
            return
        await super()._handle_client()


def authenticate(server, session, envelope, mechanism, data):
    expected = settings.get("password")
    good = isinstance(data, LoginPassword) and data.password.decode() == expected
    return AuthResult(success=good, handled=False)


def context():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(settings["certificate"], settings["key"])
    return tls


async def main():
    loop = asyncio.get_running_loop()
    tls = settings["tls"]
    options = {"enable_SMTPUTF8": settings.get("utf8", True), "hostname": "localhost", "ident": "test"}
    if tls == "starttls":
        options.update(tls_context=context(), require_starttls=True)
    if "password" in settings:
        options.update(authenticator=authenticate, auth_required=True)
        options.update(auth_require_tls=tls == "starttls")

    async def listen(port):
        make = lambda: Server(Handler(), loop=loop, **options)
        wrap = context() if tls == "tls" else None
        return await loop.create_server(make, "127.0.0.1", port, ssl=wrap)

    server = await listen(0)
    port = server.sockets[0].getsockname()[1]
    say(port=port)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        if "behave" in order:
            behave.clear()
            behave.update(order["behave"])
        elif order["listen"]:
            server = await listen(port)
        else:
            server.close()
            # Those that are connected lose their connection, too.
            for transport in list(server._clients if hasattr(server, "_clients") else []):
                transport.abort()
        say(done=True)


asyncio.run(main())

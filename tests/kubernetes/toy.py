"""A program for pods that want a real process and no model: `python -m tests.kubernetes.toy PORT NAME`.

It answers with its name, is ready once `READY_FILE` (if that is set) is there, and on SIGTERM ends after the requests
that it has.
"""

import asyncio
import os
import signal
import sys

from aiohttp import web


async def serve(port: int, name: str) -> None:
    """Until SIGTERM."""
    gate = os.environ.get("READY_FILE", "")

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/health":
            return web.Response(status=200 if not gate or os.access(gate, os.R_OK) else 503)
        if request.path == "/crash":
            os._exit(3)
        if "seconds" in request.query:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
        await asyncio.sleep(float(request.query.get("seconds", "0")))
        return web.json_response({"name": name, "pod": os.environ.get("POD", ""), "path": request.path})

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=10)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(f"{name} serves\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))

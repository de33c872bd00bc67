"""The page: three files, kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from app import pages
from app.service import Service, forever
from app.settings import Settings

STATIC = Path(__file__).parent / "static"


def run(settings: Settings, _: Sequence[str]) -> int:
    service = Service(settings)
    files = pages.load(STATIC)
    tags = {name: pages.fingerprint(content) for name, content in files.items()}

    async def give(request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name") or "index.html"
        if name not in files:
            raise web.HTTPNotFound
        tag = f'"{tags[name]}"'
        headers = {"ETag": tag, "Cache-Control": pages.caching(request.query.get("v", ""), tags[name])}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        kind = pages.TYPES[Path(name).suffix]
        return web.Response(body=files[name], content_type=kind, charset="utf-8", headers=headers)

    service.app.router.add_get("/", give)
    service.app.router.add_get(r"/{name:[a-z]+\.[a-z]+}", give)
    return forever(service.run())

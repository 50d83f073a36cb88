"""The API's own description as a page, all of it served from here: a strict policy keeps the browser from asking elsewhere."""

from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.params import FromPath

PAGE = "/schema"
ASSETS = "/schema-assets"
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".txt": "text/plain"}
_FILES = {path.name: path for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}

_HTML = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{title}}</title>
<link rel="icon" href="data:,">
<script src="{ASSETS}/rapidoc-min.js"></script>
</head>
<body>
<rapi-doc spec-url="{{spec}}" load-fonts="false" render-style="read" show-header="false" allow-authentication="false"
  allow-server-selection="false" theme="light" regular-font="system-ui, sans-serif" mono-font="monospace"></rapi-doc>
</body>
</html>
"""


class LocalPage(OpenAPIRenderPlugin):
    """The description rendered by RapiDoc out of this package."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML, favicon="", style="")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Write the page."""
        title = openapi_schema["info"]["title"]
        return _HTML.format(title=title, spec=self.get_openapi_json_route(request)).encode()


@get(ASSETS + "/{name:str}", include_in_schema=False, sync_to_thread=True)
def asset(name: FromPath[str]) -> Response[bytes]:
    """One of the files the page needs; nothing else is reachable, whatever the name."""
    if name not in _FILES:
        raise NotFoundException(detail="there is no such file")
    path = _FILES[name]
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers=headers)


def described(title: str, version: str) -> OpenAPIConfig:
    """How the API describes itself, at `/schema` and as `/schema/openapi.json`."""
    return OpenAPIConfig(
        title=title,
        version=version,
        path=PAGE,
        render_plugins=[LocalPage(), JsonRenderPlugin()],
        use_handler_docstrings=True,
    )

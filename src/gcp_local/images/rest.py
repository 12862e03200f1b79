"""`PUT /gcp-local/images`: what stands in for `docker build` and `docker push`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from gcp_local.images.store import ImageStore


class ImagesEndpoint:
    """Takes images."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def answer(self, request: Request) -> Answer:
        """Record the tar in the body under `?repository=`; answer its digest and reference."""
        if request.method != "PUT" or request.segments != ("gcp-local", "images"):
            raise NotFound(f"Not found: {request.method} {request.path}")
        repository = request.parameters.get("repository")
        if not repository:
            raise InvalidArgument("The query parameter 'repository' is required.")
        digest = self._images.add(repository, io.BytesIO(request.body))
        return Answer.of_json({"digest": digest, "reference": f"{repository}@{digest}"})

"""Who a face looks like before and after a change, to two networks that tell people apart; so that what is claimed is
true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facechange.core import Face
from facechange.faces.align import warp_crops
from facechange.faces.geometry import identity_crop_matrix
from facechange.runtime import Graph, to_tensor

# The recognizer's cosine from which a face counts as like its original, or two as alike. Of 100 pictures of people who
# do not exist, given two personas each, dlib took 3 % for the original still; of the nine in ten that pass this and the
# identity network's, none. Of pictures of 100 officials 1 % of pairs come to 0.29; the same picture at half its size
# and compressed has 0.66 at least, but for one in twenty.
RECOGNIZER_ALIKE = 0.25
# the same for the identity network, where its card does not say how alike different people look to it
IDENTITY_ALIKE = 0.65


class FaceComparer:
    """Looks at faces through the identity network and, where there is one, the second recognizer."""

    def __init__(self, identity: Graph, recognizer: Graph | None) -> None:
        self._graphs = [identity] if recognizer is None else [identity, recognizer]
        self.network = identity.card.sha256  # by which an identity that was kept is known to be this network's
        self.identity_alike = identity.card.metric("cosine_different_faces_p99", IDENTITY_ALIKE)
        self._alike = [self.identity_alike, RECOGNIZER_ALIKE][: len(self._graphs)]

    def read(self, image: np.ndarray, faces: Sequence[Face], last_alone: bool = False) -> list[np.ndarray]:
        """What each network reads of `faces` in `image` [H, W, 3] uint8, through their points: [N, D] of length 1 for
        each network.

        With `last_alone` the last network alone is asked, which is a quarter of the work.
        """
        crops = warp_crops(image, [identity_crop_matrix(face.points) for face in faces], 112)
        tensors = np.concatenate([to_tensor(crop) for crop in crops])
        graphs = self._graphs[-1:] if last_alone else self._graphs
        return [normalise(graph.run({"crop": tensors}, ["identity"])["identity"]) for graph in graphs]

    def cosines(self, before: list[np.ndarray], after: list[np.ndarray]) -> list[tuple[float, ...]]:
        """For each face the cosine of what each network that was asked `read` before and after."""
        return [
            tuple(map(float, row))
            for row in np.stack([(one * other).sum(1) for one, other in zip(before, after, strict=True)], 1)
        ]

    def are_alike(self, cosines: tuple[float, ...]) -> bool:
        """Whether one of the networks takes two faces with these `cosines`, of all networks or of the last, for one
        person."""
        return any(cosine >= alike for cosine, alike in zip(cosines, self._alike[-len(cosines) :], strict=True))


def normalise(vectors: np.ndarray) -> np.ndarray:
    """`vectors` [..., D] with length 1."""
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)).astype(np.float32)

"""Toy networks with the contracts of the real ones, so that the main job is tested without trained weights.

A "face" is an orange oval; its identity is its colour. The toy change paints the identity's colour into the middle of
the crop and its mask says where it did not.
"""

from __future__ import annotations

import io
import json
import logging
import os
import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageCms

from facechange.core import Face, ModelCard, hash_file
from facechange.faces.mean_face68 import read_mean_face
from facechange.runtime import Graph, load_graph
from facechange.swap import Swapper

CHANGE_SIZE = 64
COLOURS = np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32)  # colour to identity


class ToyDetector:
    """Finds what is much redder than blue; the points are where a face's would be in such an oval."""

    threshold = 0.72

    def detect(self, image: np.ndarray, threshold: float | None = None, thorough: bool = False) -> list[Face]:
        reddish = (image[..., 0].astype(int) - image[..., 2] > 60).astype(np.uint8)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(reddish)
        shares = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        faces = [
            Face((x, y, w, h), (shares * (w, h) + (x, y)).astype(np.float32), 0.9)
            for x, y, w, h, area in boxes[1:]
            if area > 9
        ]
        return sorted(faces, key=lambda face: -face.size_px)

    def follow(self, image: np.ndarray, expected: list[Face]) -> list[Face]:
        """The nearest of the faces of `image` for each that is expected; one of no score where there is none."""
        faces = [*self.detect(image), Face((-1e6, -1e6, 1.0, 1.0), np.zeros((5, 2), np.float32), 0.0)]
        return [min(faces, key=lambda face: np.hypot(*np.subtract(face.box[:2], near.box[:2]))) for near in expected]


def draw_faces(
    centres: dict[tuple[int, int], tuple[int, int, int]], size: tuple[int, int] = (400, 300), height: int = 80
) -> np.ndarray:
    """A picture [H, W, 3] uint8 of `size` (width, height) with an oval of a colour at each of `centres`, before tiles
    of equal luma."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    tiles = (columns // 16 + rows // 16) % 2 * 2 - 1  # so that no crop is of one tint, as a sepia photograph's are
    image = np.stack(
        [80 + columns * 60 // size[0], 100 + rows * 60 // size[1] - 8 * tiles, 120 + 40 * tiles], -1
    ).astype(np.uint8)
    for centre, colour in centres.items():
        cv2.ellipse(image, centre, (height * 3 // 8, height // 2), 0, 0, 360, colour, -1)
    return image


def save_graph(
    path: Path, nodes: list[onnx.NodeProto], inputs: dict, outputs: list[str], constants: dict, **card: object
) -> Path:
    """Write a float32 ONNX graph and its card."""
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    texts = dict.fromkeys(("summary", "normalisation", "template", "data", "training", "limits"), "toy")
    details = {
        "name": f"toy-{path.stem}",
        "role": path.stem,
        "version": "1",
        "licence": "Apache-2.0",
        "size_px": 0,
        "parameters": 0,
    }
    described = {**texts, **details, "inputs": {}, "outputs": {}, "sha256": hash_file(path), **card}
    ModelCard(**described).save(path.with_suffix(".json"))
    return path


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees or writes the ledger, keys and settings of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACECHANGE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("FACECHANGE_SETTINGS", os.devnull)
        yield


@pytest.fixture(scope="session")
def identity_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    middle = np.zeros((1, 1, 112, 112), np.float32)
    middle[..., 40:90, 40:72] = 1 / (50 * 32)
    nodes = [
        helper.make_node("Mul", ["crop", "middle"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "colours"], ["vector"]),
        helper.make_node("LpNormalization", ["vector"], ["identity"], axis=1),
    ]
    constants = {"middle": middle, "axes": np.array([2, 3]), "colours": COLOURS}
    path = tmp_path_factory.mktemp("graphs") / "identity.onnx"
    metrics = {"cosine_different_faces_p99": {"mean": 0.9}}
    return save_graph(path, nodes, {"crop": ["n", 3, 112, 112]}, ["identity"], constants, metrics=metrics)


@pytest.fixture(scope="session")
def change_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Paints 0.8 of the identity's colour into a round middle; masks at 4² and 64², two a block."""
    rows, columns = np.indices((CHANGE_SIZE, CHANGE_SIZE))
    distance = np.hypot(rows - 31.5, columns - 31.5)
    painted = (1 / (1 + np.exp((distance - 16) * 2))).astype(np.float32)[None, None]
    nodes = [
        helper.make_node("MatMul", ["identity", "back"], ["colour"]),
        helper.make_node("LpNormalization", ["colour"], ["direction"], axis=1),
        helper.make_node("Unsqueeze", ["direction", "axes"], ["pixel"]),
        helper.make_node("Sub", ["pixel", "target"], ["difference"]),
        helper.make_node("Mul", ["difference", "painted"], ["paint"]),
        helper.make_node("Add", ["target", "paint"], ["changed"]),
        helper.make_node("ReduceMax", ["target"], ["brightest"], axes=[1, 2, 3]),
        helper.make_node("Sub", ["brightest", "brightest"], ["nothing"]),  # [N, 1, 1, 1]: a mask for every crop
        *(
            helper.make_node("Add", [f"constant_{name}", "nothing"], [name])
            for name in ("mask_64_1", "mask_64_2", "mask_4_1", "mask_4_2")
        ),
    ]
    small = cv2.resize(1 - painted[0, 0], (4, 4), interpolation=cv2.INTER_AREA)[None, None]
    masks = {"mask_64_1": 1 - painted, "mask_64_2": 1 - painted, "mask_4_1": small, "mask_4_2": small}
    constants = {"back": np.linalg.pinv(COLOURS).astype(np.float32), "axes": np.array([2, 3]), "painted": painted}
    constants |= {f"constant_{name}": mask for name, mask in masks.items()}
    path = tmp_path_factory.mktemp("graphs") / "change.onnx"
    inputs = {"target": ["n", 3, CHANGE_SIZE, CHANGE_SIZE], "identity": ["n", 512]}
    return save_graph(path, nodes, inputs, ["changed", *masks], constants, size_px=CHANGE_SIZE)


@pytest.fixture(scope="session")
def toy_swapper(identity_path: Path, change_path: Path) -> Swapper:
    return Swapper(ToyDetector(), load_graph(identity_path, 1), load_graph(change_path, 1))


@pytest.fixture(scope="session")
def change_graph(change_path: Path) -> Graph:
    return load_graph(change_path, 1)


@pytest.fixture
def shut_exit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[str]]:
    """Shut `publish` and `publish_media`: they do all but write. Call it with a folder for the pictures and videos in
    it."""
    import importlib

    publishing = importlib.import_module("facechange.provenance.publish")
    monkeypatch.setattr(publishing, "write_whole", lambda data, path: None)
    monkeypatch.setattr(publishing, "take_name", lambda part, path: None)
    return lambda folder: sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and _is_shown(path)
    )


def _is_shown(path: Path) -> bool:
    """Whether a file is a picture or a video, by how it begins."""
    head = path.read_bytes()[:16]
    starts = b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"\x1aE\xdf\xa3"
    return head.startswith(starts) or head[4:8] == b"ftyp"


@pytest.fixture(scope="session")
def faces_picture() -> Callable[..., np.ndarray]:
    return draw_faces


@pytest.fixture(scope="session")
def telling_jpeg() -> Callable[[np.ndarray], tuple[bytes, list[bytes]]]:
    """A JPEG of pixels that says all a file can say of people and places, and the words and bytes that are to go."""
    return _write_telling_jpeg


def _write_telling_jpeg(pixels: np.ndarray) -> tuple[bytes, list[bytes]]:
    preview = _jpeg(cv2.resize(pixels, (96, 96)))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x013B], exif[0x8298] = 6, "Annabel Caption", "Annabel Artist", "Annabel Holder"
    exif[0x010F], exif[0x0132], exif[0x9C9D] = (
        "Annabel's camera",
        "2025:05:03 10:00:00",
        "AnnabelAuthor".encode("utf-16-le"),
    )
    details = {
        0x927C: b"MAKERNOTE" + preview,
        0xA430: "Annabel Owner",
        0xA431: "SN-ANNABEL-1",
        0x9286: b"ASCII\0\0\0Annabel comment",
        0x829A: 0.01,
    }
    exif[0x8769] = details | {0x9003: "2025:05:03 10:00:01", 0x9214: (77, 88, 99, 111)}
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0), 28: b"ASCII\0\0\0AnnabelPlace"}
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="AnnabelTool"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="AnnabelAbout" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/" '
        'xmlns:own="urn:own:" tiff:Orientation="6" photoshop:City="AnnabelCity" GPano:ProjectionType="equirectangular" '
        'GPano:StitchingSoftware="AnnabelStitcher" own:unknown="AnnabelUnknown">'
        "<dc:creator><rdf:Seq><rdf:li>AnnabelCreator</rdf:li></rdf:Seq></dc:creator>"
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:Name>AnnabelRegion</mwg-rs:Name></mwg-rs:Regions>'
        '<MP:RegionInfo rdf:parseType="Resource"><MP:Name>AnnabelWindows</MP:Name></MP:RegionInfo>'
        f"<xmp:Thumbnails><rdf:Alt><rdf:li><xmpGImg:image>{'QUJD' * 900}</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
        f"<own:pantry>{'REVG' * 900}</own:pantry></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    data = _jpeg(
        pixels,
        exif=exif,
        xmp=xmp.encode(),
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        dpi=(300, 300),
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", 14) + b"\x1c\x02\x78\0\x09AnnabelIP"
    blocks = b"\xff\xed" + struct.pack(">H", 16 + len(resource)) + b"Photoshop 3.0\0" + resource
    blocks += b"\xff\xfe" + struct.pack(">H", 2 + 13) + b"AnnabelRemark"
    trailer = b"MotionPhoto_DataAnnabelTrailer" + preview
    words = b"Annabel QUJDQUJD REVGREVG SN-ANNABEL MAKERNOTE 2025:05:03 MotionPhoto"
    return data[:2] + blocks + data[2:] + trailer, [*words.split(), b"A\0n\0n\0", preview[:40], preview[-200:]]


def _jpeg(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


@pytest.fixture
def face68() -> np.ndarray:
    """68 landmarks of the mean face in a picture of 96 px."""
    return read_mean_face()[0][:, :2] * 36 + (47.5, 36)


@pytest.fixture
def mobilenet_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HSE's MobileNet as TensorFlow.js: the right names, random values, a sixteenth of the widths; `values.npz` beside
    it has them."""
    folder, generator = tmp_path_factory.mktemp("mobilenet"), np.random.default_rng(0)
    widths = [2, 4, 8, 8, 16, 16, 32, 32, 32, 32, 32, 32, 64, 1024]
    shapes: dict[str, tuple[int, ...]] = {"conv1/convolution/merged_input": (3, 3, 3, 2)}
    shapes["conv1_bn/batchnorm_1/sub"] = (2,)
    for index in range(1, 14):
        inputs, outputs = widths[index - 1], widths[index]
        shapes[f"conv_dw_{index}/depthwise_kernel"] = (3, 3, inputs, 1)
        shapes |= {f"conv_dw_{index}_bn/batchnorm_1/{name}": (inputs,) for name in ("mul", "sub")}
        shapes[f"conv_pw_{index}/convolution/merged_input"] = (1, 1, inputs, outputs)
        shapes[f"conv_pw_{index}_bn/batchnorm_1/sub"] = (outputs,)
    values = {}
    for name, shape in shapes.items():
        fan_in = np.prod(shape[:-1]) if len(shape) == 4 and shape[-1] > 1 else 9
        spread = 0.1 if len(shape) == 1 else 0.01 if name.startswith("conv1/") else 1.5 / np.sqrt(fan_in)
        values[name] = generator.normal(1 if name.endswith("mul") else 0, spread, shape).astype(np.float32)
    rows = [{"name": name, "shape": list(each.shape), "dtype": "float32"} for name, each in values.items()]
    rows.append({"name": "axes", "shape": [2], "dtype": "int32"})
    raw = b"".join(each.tobytes() for each in values.values()) + np.array([1, 2], np.int32).tobytes()
    (folder / "graph.bin").write_bytes(raw)
    manifest = [{"paths": ["graph.bin"], "weights": rows}]
    (folder / "graph.json").write_text(json.dumps({"weightsManifest": manifest}))
    np.savez(folder / "values.npz", **{name.replace("/", "|"): each for name, each in values.items()})
    return folder / "graph.json"


class S3Server:
    """moto's S3 server, which fails and is slow for as long as it is told to."""

    def __init__(self) -> None:
        moto, serving = pytest.importorskip("moto.server"), pytest.importorskip("werkzeug.serving")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = moto.DomainDispatcherApplication(moto.create_backend_app)
        self.failing: dict[str, int] = {}  # how many requests of a method are answered with 503
        self.pause_s = 0.0  # before an answer
        self._server: Any = serving.make_server("127.0.0.1", 0, self, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __call__(self, environ: dict[str, Any], respond: Callable[..., Any]) -> Any:
        time.sleep(self.pause_s)
        method = environ["REQUEST_METHOD"]
        if self.failing.get(method, 0):
            self.failing[method] -= 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            respond("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", "0")])
            return [b""]
        return self._app(environ, respond)

    def recover(self) -> None:
        self.failing.clear()
        self.pause_s = 0.0


@pytest.fixture(scope="session")
def s3_server() -> S3Server:
    return S3Server()


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket."""
    surroundings = {
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{secrets.token_hex(8)}"
    pytest.importorskip("s3fs").S3FileSystem(skip_instance_cache=True).mkdir(name)
    yield f"s3://{name}"
    s3_server.recover()

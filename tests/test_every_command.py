"""Every command of the command line, on pictures so small as to be quick, in a network where nobody else is: nothing is
looked up, nobody is called and nothing is written outside the folders that are its own."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
import pytest
import torch
import typer
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from facechange.cli.app import app
from facechange.faces.mean_face68 import read_mean_face
from facechange.models.recognizer import blank_tensors
from facechange.swap import load_detector

PICTURES = (Path("examples/source.jpg"), Path("examples/target.jpg"), Path("facechange/swap/portrait.jpg"))
CONSENT = "--consent 'Nobody in these pictures exists.'"
TRAIN = "--train shards --recognizer recognizer.safetensors --pictures 2 --batch 2 --device cpu"
MEASURE = "--faces labelled --evaluator evaluator.onnx"
# Each command's words, in an order in which each finds what it reads. `{record}` and `{key}` were printed before; what
# lasts for ever is ended.
COMMANDS = {
    "consent add": "a.jpg b.jpg --who Ann --role both --basis synthetic",
    "consent list": "",
    "consent show": "{record}",
    "consent check": "",
    "swap": "a.jpg b.jpg -o swap.png --consent {record}",
    "anonymize": "b.jpg -o anonymize.jpg",
    "video": f"a.jpg clip.mp4 -o video.mp4 {CONSENT}",
    "evaluate video": "clip.mp4 video.mp4 --json video.json",
    "batch": f"a.jpg folder -o batch {CONSENT}",
    "live": f"a.jpg --input clip.mp4 --mjpeg 0 {CONSENT}",
    "masks": f"a.jpg b.jpg -o masks.png {CONSENT}",
    "faces": "b.jpg -o faces.png",
    "verify": "swap.png",
    "persona new": "-o ann.persona",
    "persona show": "ann.persona -o persona.png",
    "identity new": f"ann.fcid a.jpg b.jpg {CONSENT}",
    "identity show": "ann.fcid",
    "models list": "",
    "consent revoke": "{record}",
    "keys add": "--name ann --home service",
    "keys list": "--home service",
    "serve": "--home service --port 8471",
    "work": "--home service",
    "keys revoke": "{key} --home service",
    "benchmark": "--model facechange-256 --megapixels 0.1 --batch 1 --threads 1 --seconds 0.01 --json speed.json --roofline roofline.png",
    "data prepare": "labelled/train.jsonl -o shards --size 256 --smallest-face 16",
    "train identity": f"--val shards --run identity {TRAIN}",
    "train landmarks": "--train shards --val shards --run landmarks --pictures 2 --batch 2 --device cpu",
    "train face": f"--run face --preset tiny --size 64 {TRAIN}",
    "train mapping": f"--run mapping {TRAIN}",
    "train scout": "--faces labelled --backgrounds backgrounds.tar --run scout --pictures 2 --batch 2 --device cpu",
    "train ablations": f"--run ablations --preset tiny --size 64 --pairs 2 {TRAIN} {MEASURE}",
    "export face": "face/face.safetensors -o face.onnx",
    "export program": "face.onnx",
    "export identity": "identity/identity.safetensors -o identity.onnx",
    "export scout": "scout/checkpoint.safetensors -o scout.onnx",
    "export recognizer": "recognizer.safetensors -o recognizer.onnx",
    "export personas": "--train shards -o personas.onnx",
    "evaluate change": f"--pairs 2 --backgrounds backgrounds.tar --grid grid.png --masks masks.jpg {MEASURE}",
    "evaluate anonymize": f"--detector detector.onnx {MEASURE}",
    "evaluate photographs": MEASURE,
    "evaluate identity": "--faces labelled --recognizer evaluator.onnx",
    "evaluate scout": "--faces labelled --backgrounds backgrounds.tar",
    "evaluate report": "--set some=labelled --backgrounds backgrounds.tar --evaluator evaluator.onnx --recognizer evaluator.onnx "
    "--landmarks landmarks.onnx --detector detector.onnx --model facechange-256 --pairs 2 -o report",
}
LASTING = {"serve": "is at", "work": ""}  # and what each says when it has begun

# Runs in namespaces of its own, in the folder with the inputs: no network but a loopback.
DRIVER = r"""
import fcntl, json, os, pathlib, re, shlex, signal, socket, struct, subprocess, sys, threading, time
commands, lasting, traces = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
with socket.socket() as control:
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
trace = "trace=connect,sendto,sendmsg,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
found, told = {"record": "?", "key": "?"}, {}
for command, words in commands.items():
    watched = ["strace", "-f", "-qq", "-y", "--seccomp-bpf", "-e", trace, "-o", f"{traces}/{command}"]
    words = command.split() + [word.format(**found) for word in shlex.split(words)]
    with open(f"{traces}/said", "w+") as said:
        main = [sys.executable, "-c", "from facechange.cli.app import main; main()", *words]
        process = subprocess.Popen([*watched, *main], stdout=said, stderr=said, start_new_session=True)
        if command in lasting:
            while process.poll() is None and lasting[command] not in pathlib.Path(said.name).read_text():
                time.sleep(0.1)
            while process.poll() is None:  # one that comes while Python still imports can be lost
                time.sleep(10)
                os.killpg(process.pid, signal.SIGINT)
        code = process.wait()
        told[command] = [code, pathlib.Path(said.name).read_text()]
    for name, pattern in (("record", r"\bfc-[0-9a-z]{8}\b"), ("key", r"\bkey_\w+")):
        if command.endswith(" add") and (match := re.search(pattern, told[command][1])):
            found[name] = match[0]
os.unlink(f"{traces}/said")
print(json.dumps(told))
"""


def walk(command: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    """The names of all commands."""
    if not hasattr(command, "commands"):
        yield " ".join(words)
    for name, each in getattr(command, "commands", {}).items():
        yield from walk(each, (*words, name))


def write_faces(folder: Path) -> None:
    """The pictures, and each mirrored, as labelled faces to train on, 43 times over, and to measure on."""
    detector, lines = load_detector(threads=1), []
    mean = read_mean_face()[0][:, :2]
    folder.mkdir()
    with tarfile.open(folder / "faces.tar", "w") as archive:
        for path in PICTURES:
            picture = cv2.resize(cv2.imread(str(path)), (192, 192), interpolation=cv2.INTER_AREA)
            for turned in (picture, picture[:, ::-1].copy()):
                face = detector.detect(turned[..., ::-1].copy())[0]
                eyes = face.points[:2]
                points = (mean - mean[36:48].mean(0)) * np.ptp(eyes[:, 0]) / np.ptp(mean[36:48, 0]) * 1.4 + eyes.mean(0)
                labels = {"box": list(face.box), "landmarks5": face.points.tolist(), "landmarks68": points.tolist()}
                for _ in range(43):  # personas are learned from 256 at least
                    name = f"{len(lines)}.jpg"
                    _add(archive, name, turned)
                    lines.append(json.dumps({"image": name, "shard": "faces.tar", "size": 192} | labels))
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "val.jsonl").write_text("\n".join(lines[::43]) + "\n")


def write_inputs(folder: Path) -> None:
    """What the commands read, in `folder`."""
    for name in ("folder", "report"):
        (folder / name).mkdir()
    for name, path in zip("ab", PICTURES, strict=False):
        picture = cv2.resize(cv2.imread(str(path)), (256, 256), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{name}.jpg"), picture)
    shutil.copy(folder / "b.jpg", folder / "folder")
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    write_faces(folder / "labelled")
    generator = np.random.default_rng(0)
    with tarfile.open(folder / "backgrounds.tar", "w") as archive:
        for number in range(20):
            _add(archive, f"{number}.jpg", cv2.resize(generator.integers(0, 255, (6, 8, 3), np.uint8), (400, 300)))
    torch.manual_seed(0)
    tensors = blank_tensors()
    for name, tensor in tensors.items():
        if tensor.ndim == 4:
            tensors[name] = torch.randn(tensor.shape) / tensor[0].numel() ** 0.5
        elif name.endswith(".weight"):  # of a batch norm
            tensors[name] = torch.ones(tensor.shape)
    save_file(tensors, folder / "recognizer.safetensors")
    weights = Path("facechange/weights")
    shutil.copy(weights / "recognizer.onnx", folder / "evaluator.onnx")
    shutil.copy(weights / "detector.onnx", folder / "detector.onnx")
    nodes = [
        helper.make_node("ReduceMean", ["faces"], ["brightness"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["brightness", "axes"], ["column"]),
        helper.make_node("MatMul", ["column", "nothing"], ["still"]),
        helper.make_node("Add", ["still", "shares"], ["landmarks"]),
    ]
    shares = (read_mean_face()[0][:, :2] * 0.25 + (0.5, 0.35)).reshape(1, 136).astype(np.float32)
    constants = {"shares": shares, "nothing": np.zeros((1, 136), np.float32), "axes": np.array([1])}
    faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, 112, 112])
    landmarks = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["n", 136])
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "landmarks", [faces], [landmarks], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "landmarks.onnx")


def _add(archive: tarfile.TarFile, name: str, picture: np.ndarray) -> None:
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def offences(trace: str, folder: Path, own: list[Path]) -> list[str]:
    """What a command did that it must not, of a trace of `strace -y`: an address that is not this machine's, a name in
    a folder that is none of its `own`; what it named without a folder was in `folder`, unless the trace tells."""
    bad = []
    for line in trace.splitlines():
        call, _, rest = line.split(maxsplit=1)[1].partition("(")
        if call in ("connect", "sendto", "sendmsg"):
            if "sa_family=AF_INET" in rest and not re.search(r'"(127\.[\d.]+|::1|::ffff:127\.[\d.]+)"', rest):
                bad.append(line)
            continue
        if "= -1 " in rest or (call.startswith("open") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE", rest)):
            continue
        for before, name in re.findall(r'(?:<([^<>]*)>, )?"([^"]*)"', rest):
            path = Path(os.path.normpath(Path(before or folder) / name))
            if not any(path.is_relative_to(each) for each in [*own, Path(os.devnull), Path("/dev/shm")]):
                bad.append(line)
    return bad


def test_no_command_is_left_out() -> None:
    assert set(COMMANDS) == set(walk(typer.main.get_command(app)))


def test_offences_are_seen(tmp_path: Path) -> None:
    bad = (
        'connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("9.9.9.9")}, 16) = -1 ENETUNREACH',
        'openat(AT_FDCWD</there>, "x", O_WRONLY|O_CREAT, 0666) = 3</there/x>',
        'openat(AT_FDCWD</own>, "../there/x", O_RDWR) = 3</there/x>',
        'rename("/own/x", "/there/x") = 0',
        'mkdir("/there/x", 0777 <unfinished ...>',
    )
    good = (
        'connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
        'connect(3, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)',
        'openat(AT_FDCWD</own>, "x", O_WRONLY|O_CREAT, 0666) = 3</own/x>',
        'openat(AT_FDCWD</there>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3</etc/hosts>',
        'openat(AT_FDCWD</there>, "/dev/null", O_RDWR) = 3</dev/null>',
        'link("/dev/shm/sem.a", "/dev/shm/sem.b") = 0',
        'mkdir("x", 0777) = 0',
    )
    own = Path("/own")
    for line in (*bad, *good):
        for begin in ("12345 ", "17    "):
            assert offences(f"{begin}{line}\n", own, [own]) == [begin + line] * (line in bad), line


@pytest.mark.slow
def test_no_command_calls_anybody_or_writes_outside_its_folders(tmp_path: Path) -> None:
    if not (shutil.which("strace") and shutil.which("unshare")):
        pytest.skip("there is no strace here, or no unshare")
    folders = work, traces, temporary, kept, home = [
        tmp_path / each for each in ("work", "traces", "tmp", "kept", "home")
    ]
    for folder in folders:
        folder.mkdir()
    write_inputs(work)
    forgotten = ("XDG_", "ORT_", "CI")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(forgotten)} | {
        "HOME": str(home),
        "FACECHANGE_HOME": str(kept),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path.cwd()),
    }
    driven = [sys.executable, "-c", DRIVER, json.dumps(COMMANDS), json.dumps(LASTING), str(traces)]
    ended = subprocess.run(["unshare", "-rn", *driven], cwd=work, env=surroundings, capture_output=True, text=True)
    if ended.returncode:
        pytest.skip(f"no network of one's own here: {ended.stderr.strip()[-200:]}")
    told = json.loads(ended.stdout)
    assert {command: said for command, said in told.items() if said[0]} == {}
    seen = {
        each.name: offences(each.read_text(errors="replace"), work, [work, temporary, kept])
        for each in traces.iterdir()
    }
    assert set(seen) == set(COMMANDS)
    assert {command: lines[:9] for command, lines in seen.items() if lines} == {}
    assert not list(home.iterdir())

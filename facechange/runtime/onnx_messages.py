"""The part of the ONNX file format that specialising a graph needs, without the package `onnx`.

Field numbers are those of onnx.proto (IR version 8). What is not named here is kept as it is when a model is read and
written.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

FLOAT, INT64 = 1, 7  # TensorProto.DataType

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {  # message: field: number and type; a star marks what repeats
    "Model": {"graph": (7, "Graph")},
    "Graph": {"node": (1, "Node*"), "initializer": (5, "Tensor*"), "input": (11, "Value*"), "output": (12, "Value*")},
    "Node": {
        "input": (1, "string*"),
        "output": (2, "string*"),
        "name": (3, "string"),
        "op_type": (4, "string"),
        "attribute": (5, "Attribute*"),
    },
    "Attribute": {"name": (1, "string"), "i": (3, "int64"), "s": (4, "bytes")},
    "Tensor": {"dims": (1, "int64*"), "data_type": (2, "int32"), "name": (8, "string"), "raw_data": (9, "bytes")},
    "Value": {"name": (1, "string")},
}
_SCALARS = {"int64": 3, "int32": 5, "string": 9, "bytes": 12}  # FieldDescriptorProto.Type
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3
_DATA_TYPES = {np.dtype(np.float32): FLOAT, np.dtype(np.int64): INT64}


@cache
def _message_types() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # late: only specialising needs it

    file = descriptor_pb2.FileDescriptorProto(name="facechange/onnx.proto", package="facechange.onnx", syntax="proto2")
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            label = _REPEATED if kind.endswith("*") else _OPTIONAL
            kind = kind.rstrip("*")
            field = described.field.add(name=name, number=number, label=label, type=_SCALARS.get(kind, _MESSAGE))
            if kind not in _SCALARS:
                field.type_name = f".{file.package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{name}")) for name in _FIELDS
    }


def parse_model(data: bytes) -> Any:
    """An ONNX file as a message with the fields above; raises `google.protobuf.message.DecodeError`."""
    return _message_types()["Model"].FromString(data)


def make_tensor(name: str, values: np.ndarray) -> Any:
    """A tensor to be a graph's initializer; float32 or int64."""
    return _message_types()["Tensor"](
        name=name,
        dims=values.shape,
        data_type=_DATA_TYPES[values.dtype],
        raw_data=np.ascontiguousarray(values).tobytes(),
    )


def make_value(name: str) -> Any:
    """The mention of an output; its type and shape are left to be inferred."""
    return _message_types()["Value"](name=name)

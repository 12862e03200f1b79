"""The messages of `saved_model.pb`: of each, the fields that a graph of constants needs.

The package and the names are TensorFlow's, the descriptor pool is one of our own, so that it goes
together with a TensorFlow that is installed. Described in proto2, whose bytes are those of
TensorFlow's proto3, because it tells a value that is `false` from one that is not given.
Source: tensorflow/core/protobuf/{saved_model,meta_graph}.proto and
tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape,versions,types}.proto.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


class DataType(IntEnum):
    """What a tensor consists of."""

    DT_INVALID = 0
    DT_DOUBLE = 2
    DT_INT32 = 3
    DT_STRING = 7
    DT_INT64 = 9
    DT_BOOL = 10


# Each field's number, name and type; `T[]` is a list of T, `{T}` maps names to T.
_MESSAGES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "SavedModel": (
        (1, "saved_model_schema_version", "int64"),
        (2, "meta_graphs", "MetaGraphDef[]"),
    ),
    "MetaGraphDef": (
        (1, "meta_info_def", "MetaInfoDef"),
        (2, "graph_def", "GraphDef"),
        (5, "signature_def", "{SignatureDef}"),
    ),
    "MetaInfoDef": ((4, "tags", "string[]"),),
    "GraphDef": ((1, "node", "NodeDef[]"), (4, "versions", "VersionDef")),
    "VersionDef": ((1, "producer", "int32"), (2, "min_consumer", "int32")),
    "NodeDef": (
        (1, "name", "string"),
        (2, "op", "string"),
        (3, "input", "string[]"),
        (5, "attr", "{AttrValue}"),
    ),
    "AttrValue": (
        (3, "i", "int64"),
        (6, "type", "DataType"),
        (7, "shape", "TensorShapeProto"),
        (8, "tensor", "TensorProto"),
    ),
    "TensorProto": (
        (1, "dtype", "DataType"),
        (2, "tensor_shape", "TensorShapeProto"),
        (4, "tensor_content", "bytes"),
        (8, "string_val", "bytes[]"),
    ),
    "TensorShapeProto": ((2, "dim", "Dim[]"),),
    "Dim": ((1, "size", "int64"),),
    "SignatureDef": (
        (1, "inputs", "{TensorInfo}"),
        (2, "outputs", "{TensorInfo}"),
        (3, "method_name", "string"),
    ),
    "TensorInfo": (
        (1, "name", "string"),
        (2, "dtype", "DataType"),
        (3, "tensor_shape", "TensorShapeProto"),
    ),
}
_PACKAGE = "tensorflow"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="saved_model.proto", package=_PACKAGE)
    kinds = file.enum_type.add(name=DataType.__name__)
    for kind in DataType:
        kinds.value.add(name=kind.name, number=kind)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind_of in fields:
            if kind_of.startswith("{"):
                _add(message, number, field, _add_entry(message, field, kind_of[1:-1]), many=True)
            else:
                _add(message, number, field, kind_of.removesuffix("[]"), many="[" in kind_of)
    return file


def _add_entry(message: descriptor_pb2.DescriptorProto, field: str, values: str) -> str:
    """Describe what a map's field consists of, and give its name."""
    name = "".join(word.title() for word in field.split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    _add(entry, 1, "key", "string", many=False)
    _add(entry, 2, "value", values, many=False)
    return f"{message.name}.{name}"


def _add(
    message: descriptor_pb2.DescriptorProto, number: int, name: str, kind: str, *, many: bool
) -> None:
    label = _Field.LABEL_REPEATED if many else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _Field.TYPE_ENUM if kind == DataType.__name__ else _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_described())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


SavedModel = _class("SavedModel")
MetaGraphDef = _class("MetaGraphDef")
GraphDef = _class("GraphDef")
AttrValue = _class("AttrValue")
TensorProto = _class("TensorProto")
TensorShapeProto = _class("TensorShapeProto")
SignatureDef = _class("SignatureDef")
TensorInfo = _class("TensorInfo")

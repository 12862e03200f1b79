"""Graphs of TensorFlow's operations, put together one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gcp_local.bigquery.ml.savedmodel import messages
from gcp_local.bigquery.ml.savedmodel.messages import DataType

Array = np.ndarray[Any, Any]

# Of a graph of today: what TensorFlow does otherwise for old graphs is for producers before this.
_PRODUCER = 134
_KINDS = {
    "f8": DataType.DT_DOUBLE,
    "i4": DataType.DT_INT32,
    "i8": DataType.DT_INT64,
    "O": DataType.DT_STRING,
}


@dataclass(frozen=True)
class Tensor:
    """What an operation gives.

    Attributes:
        node: the operation's name.
        kind: what it consists of.
        shape: its sizes; -1 is any.

    """

    node: str
    kind: DataType
    shape: tuple[int, ...]

    def info(self) -> Any:
        """Describe it for a signature: TensorInfo."""
        return messages.TensorInfo(
            name=f"{self.node}:0", dtype=self.kind, tensor_shape=_shape(self.shape)
        )


class Graph:
    """A graph that grows; its nodes are in an order in which they can be computed."""

    def __init__(self) -> None:
        self.proto = messages.GraphDef()
        self.proto.versions.producer = _PRODUCER

    def placeholder(self, name: str, kind: DataType) -> Tensor:
        """Add an input: one value for each row."""
        shape = (-1,)
        return self.add(name, "Placeholder", (), kind, shape, dtype=kind, shape=shape)

    def constant(self, name: str, value: Any) -> Tensor:
        """Add a constant: numbers of 32 or 64 bits, or an array of objects that are texts."""
        array = np.asarray(value)
        kind = _kind(array)
        return self.add(name, "Const", (), kind, array.shape, dtype=kind, value=array)

    def add(
        self,
        name: str,
        operation: str,
        inputs: Sequence[Tensor],
        kind: DataType,
        shape: tuple[int, ...],
        /,
        **attributes: DataType | int | tuple[int, ...] | Array,
    ) -> Tensor:
        """Add an operation.

        Args:
            name: of the node.
            operation: TensorFlow's name for it.
            inputs: what it takes.
            kind: what its output consists of.
            shape: the output's sizes.
            attributes: a type, a number, a shape or a tensor each.

        """
        node = self.proto.node.add(name=name, op=operation, input=[each.node for each in inputs])
        for key, value in attributes.items():
            node.attr[key].CopyFrom(_attribute(value))
        return Tensor(name, kind, shape)


def _attribute(value: DataType | int | tuple[int, ...] | Array) -> Any:
    match value:
        case DataType():
            return messages.AttrValue(type=value)
        case int():
            return messages.AttrValue(i=value)
        case tuple():
            return messages.AttrValue(shape=_shape(value))
        case _:
            return messages.AttrValue(tensor=_tensor(value))


def _tensor(array: Array) -> Any:
    kind = _kind(array)
    tensor = messages.TensorProto(dtype=kind, tensor_shape=_shape(array.shape))
    if kind is DataType.DT_STRING:
        tensor.string_val.extend(text.encode() for text in array.flat)
    else:
        tensor.tensor_content = np.ascontiguousarray(array).tobytes()
    return tensor


def _kind(array: Array) -> DataType:
    return _KINDS[array.dtype.str.lstrip("<|")]


def _shape(sizes: tuple[int, ...]) -> Any:
    return messages.TensorShapeProto(dim=[{"size": size} for size in sizes])

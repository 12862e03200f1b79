"""FarmHash Fingerprint64 of Google's FarmHash (https://github.com/google/farmhash, farmhashna)."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F


def farm_fingerprint(value: bytes | str) -> int:
    """Give the fingerprint as INT64 (signed)."""
    data = value.encode() if isinstance(value, str) else bytes(value)
    result = _fingerprint(data)
    return result - (1 << 64) if result >> 63 else result


def _fetch64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _fetch32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _rotate(value: int, shift: int) -> int:
    value &= _MASK
    return value if shift == 0 else ((value >> shift) | (value << (64 - shift))) & _MASK


def _mix(value: int) -> int:
    value &= _MASK
    return value ^ (value >> 47)


def _hash16(low: int, high: int, factor: int) -> int:
    one = ((low ^ high) * factor) & _MASK
    one ^= one >> 47
    two = ((high ^ one) * factor) & _MASK
    two ^= two >> 47
    return (two * factor) & _MASK


def _fingerprint(data: bytes) -> int:
    size = len(data)
    if size <= 16:
        return _up_to_16(data)
    if size <= 32:
        return _up_to_32(data)
    if size <= 64:
        return _up_to_64(data)
    return _longer(data)


def _up_to_16(data: bytes) -> int:
    size = len(data)
    if size >= 8:
        factor = _K2 + size * 2
        one = (_fetch64(data, 0) + _K2) & _MASK
        two = _fetch64(data, size - 8)
        three = (_rotate(two, 37) * factor + one) & _MASK
        four = ((_rotate(one, 25) + two) * factor) & _MASK
        return _hash16(three, four, factor)
    if size >= 4:
        factor = _K2 + size * 2
        return _hash16(size + (_fetch32(data, 0) << 3), _fetch32(data, size - 4), factor)
    if size > 0:
        first = data[0] + (data[size >> 1] << 8)
        second = size + (data[size - 1] << 2)
        return (_mix((first * _K2) ^ (second * _K0)) * _K2) & _MASK
    return _K2


def _up_to_32(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    one = (_fetch64(data, 0) * _K1) & _MASK
    two = _fetch64(data, 8)
    three = (_fetch64(data, size - 8) * factor) & _MASK
    four = (_fetch64(data, size - 16) * _K2) & _MASK
    return _hash16(
        _rotate(one + two, 43) + _rotate(three, 30) + four,
        one + _rotate(two + _K2, 18) + three,
        factor,
    )


def _up_to_64(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    one = (_fetch64(data, 0) * _K2) & _MASK
    two = _fetch64(data, 8)
    three = (_fetch64(data, size - 8) * factor) & _MASK
    four = (_fetch64(data, size - 16) * _K2) & _MASK
    five = (_rotate(one + two, 43) + _rotate(three, 30) + four) & _MASK
    six = _hash16(five, one + _rotate(two + _K2, 18) + three, factor)
    seven = (_fetch64(data, 16) * factor) & _MASK
    eight = _fetch64(data, 24)
    nine = ((five + _fetch64(data, size - 32)) * factor) & _MASK
    ten = ((six + _fetch64(data, size - 24)) * factor) & _MASK
    return _hash16(
        _rotate(seven + eight, 43) + _rotate(nine, 30) + ten,
        seven + _rotate(eight + one, 18) + nine,
        factor,
    )


def _weak(data: bytes, at: int, one: int, two: int) -> tuple[int, int]:
    first, second = _fetch64(data, at), _fetch64(data, at + 8)
    third, fourth = _fetch64(data, at + 16), _fetch64(data, at + 24)
    one = (one + first) & _MASK
    two = _rotate(two + one + fourth, 21)
    before = one
    one = (one + second + third) & _MASK
    two = (two + _rotate(one, 44)) & _MASK
    return (one + fourth) & _MASK, (two + before) & _MASK


def _longer(data: bytes) -> int:
    size, seed = len(data), 81
    x = seed
    y = (seed * _K1 + 113) & _MASK
    z = (_mix(y * _K2 + 113) * _K2) & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _fetch64(data, 0)) & _MASK
    end = ((size - 1) // 64) * 64
    last = end + ((size - 1) & 63) - 63
    at = 0
    while True:
        x = (_rotate(x + y + v[0] + _fetch64(data, at + 8), 37) * _K1) & _MASK
        y = (_rotate(y + v[1] + _fetch64(data, at + 48), 42) * _K1) & _MASK
        x ^= w[1]
        y = (y + v[0] + _fetch64(data, at + 40)) & _MASK
        z = (_rotate(z + w[0], 33) * _K1) & _MASK
        v = _weak(data, at, (v[1] * _K1) & _MASK, (x + w[0]) & _MASK)
        w = _weak(data, at + 32, (z + w[1]) & _MASK, (y + _fetch64(data, at + 16)) & _MASK)
        z, x = x, z
        at += 64
        if at == end:
            break
    factor = (_K1 + ((z & 0xFF) << 1)) & _MASK
    at = last
    w = ((w[0] + ((size - 1) & 63)) & _MASK, w[1])
    v = ((v[0] + w[0]) & _MASK, v[1])
    w = ((w[0] + v[0]) & _MASK, w[1])
    x = (_rotate(x + y + v[0] + _fetch64(data, at + 8), 37) * factor) & _MASK
    y = (_rotate(y + v[1] + _fetch64(data, at + 48), 42) * factor) & _MASK
    x ^= (w[1] * 9) & _MASK
    y = (y + v[0] * 9 + _fetch64(data, at + 40)) & _MASK
    z = (_rotate(z + w[0], 33) * factor) & _MASK
    v = _weak(data, at, (v[1] * factor) & _MASK, (x + w[0]) & _MASK)
    w = _weak(data, at + 32, (z + w[1]) & _MASK, (y + _fetch64(data, at + 16)) & _MASK)
    z, x = x, z
    return _hash16(
        (_hash16(v[0], w[0], factor) + (_mix(y) * _K0) + z) & _MASK,
        (_hash16(v[1], w[1], factor) + x) & _MASK,
        factor,
    )

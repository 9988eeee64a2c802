"""Kernels of the generated tissue: whole numbers only. `tissue.py` says what they make."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel

Int64 = npt.NDArray[np.int64]

_NAMES = ("id", "z", "y", "x", "radius", "kind", "aa", "ab", "bb", "cc", "level")
DRAWN = {name: place for place, name in enumerate(_NAMES)} | {"level 1": 11, "level 2": 12, "level 3": 13}
"""Columns of a nucleus: id; centre z, y, x and longest semi-axis in 1/16 pixel; kind of cell; the quadratic form of
its depth in y and x (aa, ab, bb) and z (cc); light in each channel."""


@kernel
def mix(seed: Any, number: Any) -> Any:
    """64 random bits of a number."""
    state = np.uint64(seed) + np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@kernel
def _part(bits: Any, place: int, below: int) -> Any:
    """A number below a limit from ten of the bits."""
    return (np.int64((bits >> np.uint64(10 * place)) & np.uint64(1023)) * below) >> 10


@kernel
def draw_nuclei(
    squares: Int64, is_volume: bool, seed: int, turns: Int64, crowd: Any, lines: int, made: Int64
) -> int:
    """Draw the nuclei of a box of lattice squares (first z, y, x; counts); returns how many there are."""
    n = 0
    pitch = 20 * 16
    for i in range(squares[0], squares[0] + squares[3]):
        for j in range(squares[1], squares[1] + squares[4]):
            for k in range(squares[2], squares[2] + squares[5]):
                name = (i * lines + j) * lines + k + 1
                first = mix(seed, name)
                crowded = np.int64(crowd[j - squares[1], k - squares[2]])
                # sparse tissue has a third of the squares filled, crowded tissue all
                if _part(first, 0, 65536) > 23000 + crowded:
                    continue
                second = mix(first, 1)
                third = mix(first, 2)
                row = made[n]
                n += 1
                row[0] = name
                row[1] = i * pitch + pitch // 8 + _part(first, 1, pitch * 3 // 4) if is_volume else 0
                row[2] = j * pitch + pitch // 8 + _part(first, 2, pitch * 3 // 4)
                row[3] = k * pitch + pitch // 8 + _part(first, 3, pitch * 3 // 4) + (j & 1) * pitch // 2
                long = 100 + _part(first, 4, 60)  # semi-axes 6.25 to 10 px, the shorter 70 to 100 % of it
                short = long * (70 + _part(first, 5, 31)) // 100
                row[4] = long
                row[5] = _part(second, 0, 8)
                turn = turns[_part(second, 1, turns.shape[0])]
                one, other = turn[0] * turn[0], turn[1] * turn[1]
                form_long, form_short = (
                    (np.int64(1) << 36) // (long * long),
                    (np.int64(1) << 36) // (short * short),
                )
                row[6] = (other * form_long + one * form_short) >> 28
                row[7] = (2 * turn[0] * turn[1] * (form_long - form_short)) >> 28
                row[8] = (one * form_long + other * form_short) >> 28
                row[9] = form_short >> 8
                row[10] = 400 + _part(second, 2, 1600)
                for channel in range(1, 4):
                    # every kind of cell has some of the markers
                    positive = (row[5] >> (channel - 1)) & 1
                    level = _part(third, channel, 100)
                    row[10 + channel] = 600 + 12 * level if positive else level
    return n


@kernel
def _reach(nucleus: Int64, share: int, axis: int, start: int, size: int) -> tuple[int, int]:
    """Pixels of a region along an axis, from and to, that a nucleus may reach; share is of its radius, in 1/16."""
    centre = nucleus[1 + axis]
    reach = (nucleus[4] * share) // 16
    return max(0, (centre - reach) // 16 - start), min(size, (centre + reach) // 16 + 1 - start)


@kernel
def add_light(nuclei: Int64, start: Int64, profile: Any, column: int, light: Any) -> None:
    """Add the light of nuclei to a region (z, y, x)."""
    nz, ny, nx = light.shape
    far = profile.size
    while far > 0 and profile[far - 1] == 0:
        far -= 1
    share = 17
    while share * share * 16 < far:
        share += 1
    for row in range(nuclei.shape[0]):
        nucleus = nuclei[row]
        level = nucleus[column]
        flat = nucleus[9] if nucleus[1] > 0 else np.int64(0)
        z0, z1 = _reach(nucleus, share, 0, start[0], nz)
        y0, y1 = _reach(nucleus, share, 1, start[1], ny)
        x0, x1 = _reach(nucleus, share, 2, start[2], nx)
        for i in range(z0, z1):
            dz = (start[0] + i) * 16 + 8 - nucleus[1] if flat else np.int64(0)
            for j in range(y0, y1):
                dy = (start[1] + j) * 16 + 8 - nucleus[2]
                for k in range(x0, x1):
                    dx = (start[2] + k) * 16 + 8 - nucleus[3]
                    depth = (
                        nucleus[6] * dy * dy + nucleus[7] * dy * dx + nucleus[8] * dx * dx + flat * dz * dz
                    ) >> 16
                    if depth < far:
                        light[i, j, k] += np.int32((level * profile[depth]) >> 8)


@kernel
def own_pixels(nuclei: Int64, start: Int64, owner: Int64) -> None:
    """Give each pixel (z, y, x) the id of the nucleus in which it lies deepest; of equals, the smaller id."""
    nz, ny, nx = owner.shape
    best = np.full(owner.shape, np.int32(4096))
    for row in range(nuclei.shape[0]):
        nucleus = nuclei[row]
        flat = nucleus[9] if nucleus[1] > 0 else np.int64(0)
        z0, z1 = _reach(nucleus, 17, 0, start[0], nz)
        y0, y1 = _reach(nucleus, 17, 1, start[1], ny)
        x0, x1 = _reach(nucleus, 17, 2, start[2], nx)
        for i in range(z0, z1):
            dz = (start[0] + i) * 16 + 8 - nucleus[1] if flat else np.int64(0)
            for j in range(y0, y1):
                dy = (start[1] + j) * 16 + 8 - nucleus[2]
                for k in range(x0, x1):
                    dx = (start[2] + k) * 16 + 8 - nucleus[3]
                    depth = (
                        nucleus[6] * dy * dy + nucleus[7] * dy * dx + nucleus[8] * dx * dx + flat * dz * dz
                    ) >> 16
                    if depth < best[i, j, k]:
                        best[i, j, k] = depth
                        owner[i, j, k] = nucleus[0]


@kernel
def interpolate(nodes: Any, y0: int, x0: int, pitch: int, made: Any) -> None:
    """Straight lines between the nodes of a lattice."""
    first = y0 // pitch
    line = np.empty(nodes.shape[1], dtype=np.int64)
    for j in range(made.shape[0]):
        node, rest = (y0 + j) // pitch - first, (y0 + j) % pitch
        for k in range(nodes.shape[1]):
            line[k] = np.int64(nodes[node, k]) * (pitch - rest) + np.int64(nodes[node + 1, k]) * rest
        node, rest = 0, x0 % pitch
        step = (line[1] - line[0]) // pitch
        value = line[0] + rest * step
        for k in range(made.shape[1]):
            made[j, k] = value // pitch
            rest += 1
            value += step
            if rest == pitch:
                node, rest = node + 1, 0
                value = line[node]
                if node + 1 < line.size:
                    step = (line[node + 1] - line[node]) // pitch


@kernel
def finish_pixels(light: Any, smooth: Any, fine: Any, start: Int64, seed: Any, noise: Any, made: Any) -> None:
    """Texture on the light, an uneven background under it, and noise that grows with the value."""
    nz, ny, nx = light.shape
    for i in range(nz):
        for j in range(ny):
            line = mix(seed, ((start[0] + i) << 32) + start[1] + j)
            for k in range(nx):
                signal = (np.int64(light[i, j, k]) * (49152 + (np.int64(fine[j, k]) >> 1))) >> 16
                value = 200 + (np.int64(smooth[j, k]) >> 7) + signal
                bits = mix(line, start[2] + k)
                drawn = np.int64(bits & np.uint64(65535)) + np.int64(
                    (bits >> np.uint64(16)) & np.uint64(65535)
                )
                drawn += np.int64((bits >> np.uint64(32)) & np.uint64(65535)) + np.int64(
                    bits >> np.uint64(48)
                )
                # the sum of four even draws has a standard deviation of 2 ** 20 / 27.7
                value += ((drawn - 131070) * np.int64(noise[min(value, 65535)])) >> 20
                made[i, j, k] = min(max(value, 0), 65535)

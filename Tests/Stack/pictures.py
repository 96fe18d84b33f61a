"""Screenshots of a page, and what colours they show."""

import collections
import itertools
import struct
import zlib

import stack
from operating import browse

FOLDER = stack.ROOT / ".build/screenshots"
FORMS = {"desktop": "1280,2600", "phone": "390,4200"}
SCHEMES = {"dark": 0, "light": 1}
# Of StatusPage+assets.swift.
BACK = {"light": "fbfbf9", "dark": "161614"}
BLUE = {"light": "1f5fa8", "dark": "6ea8e8"}
BAD = {"light": "b3261e", "dark": "ff9a91"}


def take(url, name):
    """A picture for each form and scheme: {(form, scheme): Counter of its colours}."""
    FOLDER.mkdir(exist_ok=True)
    shown = {}
    for form, size in FORMS.items():
        for scheme, number in SCHEMES.items():
            path = FOLDER / f"{name}-{form}-{scheme}.png"
            path.unlink(missing_ok=True)
            _, complaints = browse(url, f"--window-size={size}", "--hide-scrollbars",
                   f"--blink-settings=preferredColorScheme={number}", f"--screenshot={path}")
            assert path.exists(), complaints[-2000:]
            shown[form, scheme] = colours(path)
    return shown


def colours(path):
    """How many pixels have which colour, as `rrggbb`.

    Source: PNG specification, chapters 5, 7 and 9.
    """
    data, chunks, place = path.read_bytes(), {}, 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        chunks[kind] = chunks.get(kind, b"") + data[place + 8:place + 8 + length]
        place += 12 + length
    width, height, depth, form = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8 and form in (2, 6), (depth, form)
    size = 3 if form == 2 else 4
    raw, row, rows = zlib.decompress(chunks[b"IDAT"]), bytes(width * size), collections.Counter()
    stride = width * size + 1
    for place in range(0, height * stride, stride):
        row = unfiltered(raw[place], raw[place + 1:place + stride], row, size)
        rows[row] += 1
    found = collections.Counter()
    for row, times in rows.items():  # most rows of a page come often
        for colour, count in collections.Counter(zip(row[::size], row[1::size], row[2::size])).items():
            found[bytes(colour).hex()] += count * times
    return found


def unfiltered(filtering, line, above, size):
    """A row's bytes; `above` is the row before."""
    if filtering == 0:
        return line
    if filtering == 1:
        row = bytearray(line)
        for each in range(size):
            row[each::size] = bytes(itertools.accumulate(line[each::size], lambda left, more: (left + more) & 255))
        return bytes(row)
    if filtering == 2:
        return bytes((up + more) & 255 for up, more in zip(above, line)) if any(line) else above
    row = bytearray(line)
    for x, (more, up) in enumerate(zip(line, above)):
        left, corner = (row[x - size], above[x - size]) if x >= size else (0, 0)
        if filtering == 3:
            predicted = (left + up) // 2
        else:
            to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            if to_left <= to_up and to_left <= to_corner:
                predicted = left
            else:
                predicted = up if to_up <= to_corner else corner
        row[x] = (more + predicted) & 255
    return bytes(row)

"""Screenshots of a page, and what colours they show."""

import collections
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
    raw, row, found = zlib.decompress(chunks[b"IDAT"]), bytearray(width * size), collections.Counter()
    stride = width * size + 1
    for y in range(height):
        filtering, line = raw[y * stride], bytearray(raw[y * stride + 1:(y + 1) * stride])
        for x in range(len(line)) if filtering else ():
            left = line[x - size] if x >= size else 0
            if filtering == 1:
                more = left
            elif filtering == 2:
                more = row[x]
            elif filtering == 3:
                more = (left + row[x]) // 2
            else:
                corner = row[x - size] if x >= size else 0
                near = left + row[x] - corner
                more = min((abs(near - left), 0, left), (abs(near - row[x]), 1, row[x]), (abs(near - corner), 2, corner))[2]
            line[x] = (line[x] + more) & 255
        row = line
        for x in range(0, len(line), size):
            found[bytes(line[x:x + 3])] += 1
    return collections.Counter({colour.hex(): count for colour, count in found.items()})

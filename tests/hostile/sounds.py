"""Hostile sounds: cut at every joint, headers that lie, samples that are no numbers, and formats nobody decodes."""

from __future__ import annotations

import struct
import zlib

import bad_media
import numpy as np
from bad_media import (
    Samples,
    encoded_image,
    mp4,
    noise,
    photo,
    streamed_wav,
    tone,
    unknown_length_flac,
    wide_flac_claim,
)

from hostile.kinds import FAILED, SKIPPED, STORED, Table, holds, is_put, sparse

__all__ = ["sounds"]

_EITHER = (STORED, FAILED)
_RATE = 16_000
_TEXT_TAG = b"TIT2"


def sounds() -> Table:
    """All kinds of sounds."""
    return {
        **_cut(),
        **_waves(),
        **_samples(),
        **_flacs(),
        **_oggs(),
        **_mpegs(),
        **_others(),
        **_foreign(),
        **_lies(),
    }


def _rough(seed: int, seconds: float = 0.5) -> Samples:
    """Noise that no codec makes small."""
    return np.random.default_rng(seed).uniform(-0.4, 0.4, round(seconds * _RATE)).astype(np.float32)


def encoded_sound(samples: Samples, rate: int = _RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """Encode samples, and take out what libsndfile makes anew each time: the hour, and the serial numbers of Ogg."""
    data = bad_media.encoded_sound(samples, rate, kind, subtype)
    if kind == "OGG":
        return b"".join(_page(page, serial=1) for page in _pages(data))
    peak = data.find(b"PEAK")
    return data if peak < 0 else _patched(data, peak + 12, bytes(4))


def _cut() -> Table:
    """Every format, cut in its signature, its header, early and late in its samples, and just before its end."""
    table: Table = {}
    formats = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3", "aiff": "AIFF", "au": "AU", "caf": "CAF"}
    for seed, (suffix, kind) in enumerate(formats.items(), 100):
        whole = encoded_sound(_rough(seed), kind=kind)
        lossy = suffix in ("ogg", "mp3")
        points = {
            "in its signature": (3, (FAILED,)),
            "in its header": (18, (FAILED,)),
            "early": (len(whole) // 4, _EITHER if lossy else (FAILED,)),
            "late": (len(whole) * 4 // 5, _EITHER if lossy else (FAILED,)),
            "before its end": (len(whole) - 3, _EITHER),
        }
        for where, (length, outcomes) in points.items():
            table[f"cut {where}.{suffix}"] = holds(whole[:length], *outcomes)
    return table


def _chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def _fmt(
    kind: int = 1, channels: int = 1, rate: int = _RATE, bits: int = 16, align: int | None = None, more: bytes = b""
) -> bytes:
    block = channels * bits // 8 if align is None else align
    return _chunk(
        b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits) + more
    )


def _riff(*chunks: bytes, size: int | None = None, magic: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def _pcm(seed: int, count: int = 8000) -> bytes:
    """Sixteen-bit noise."""
    return np.random.default_rng(seed).integers(-9000, 9000, count).astype("<i2").tobytes()


def _data(seed: int, size: int | None = None, count: int = 8000) -> bytes:
    return _chunk(b"data", _pcm(seed, count), size)


def _waves() -> Table:
    pcm = bytes.fromhex("0100000000001000800000aa00389b71")
    wide = struct.pack("<HHI", 22, 16, 4)
    return {
        "streamed.wav": holds(streamed_wav, STORED),
        "size of zero.wav": holds(_riff(_fmt(), _data(1), size=0), *_EITHER),
        "size of less.wav": holds(_riff(_fmt(), _data(2), size=100), *_EITHER),
        "size of more.wav": holds(_riff(_fmt(), _data(3), size=10_000_000), FAILED),
        "samples beyond the end.wav": holds(_riff(_fmt(), _data(4, size=1 << 30)), *_EITHER),
        "samples of size zero.wav": holds(_riff(_fmt(), _data(5, size=0)), *_EITHER),
        "samples of odd size.wav": holds(_riff(_fmt(), _data(6, size=15_999)), *_EITHER),
        "no samples.wav": holds(lambda: encoded_sound(np.zeros(0, np.float32)), FAILED),
        "no data.wav": holds(_riff(_fmt()), FAILED),
        "no format.wav": holds(_riff(_data(7)), FAILED),
        "data before format.wav": holds(_riff(_data(8), _fmt()), *_EITHER),
        "two formats.wav": holds(_riff(_fmt(), _fmt(channels=2), _data(9)), *_EITHER),
        "two datas.wav": holds(_riff(_fmt(), _data(10), _data(11)), *_EITHER),
        "head alone.wav": holds(_riff(), FAILED),
        "rate of zero.wav": holds(_riff(_fmt(rate=0), _data(12)), FAILED),
        "rate of one.wav": holds(_riff(_fmt(rate=1), _data(13)), FAILED),
        "rate of 4 billion.wav": holds(_riff(_fmt(rate=0xFFFFFFFF), _data(14)), FAILED),
        "rate of 99.wav": holds(_riff(_fmt(rate=99), _data(15, count=200)), FAILED),
        "rate of a million.wav": holds(_riff(_fmt(rate=1_000_000), _data(16)), *_EITHER),
        "no channels.wav": holds(_riff(_fmt(channels=0), _data(17)), FAILED),
        "255 channels.wav": holds(_riff(_fmt(channels=255), _data(18, count=25_500)), *_EITHER),
        "65535 channels.wav": holds(_riff(_fmt(channels=65_535), _data(19)), FAILED),
        "bits of zero.wav": holds(_riff(_fmt(bits=0), _data(20)), FAILED),
        "bits of thirteen.wav": holds(_riff(_fmt(bits=13, align=2), _data(21)), *_EITHER),
        "bits of 999.wav": holds(_riff(_fmt(bits=999), _data(22)), FAILED),
        "block of nothing.wav": holds(_riff(_fmt(align=0), _data(23)), *_EITHER),
        "block of three.wav": holds(_riff(_fmt(align=3), _data(24)), *_EITHER),
        "format of 1 MB.wav": holds(_riff(_fmt(more=bytes(1 << 20)), _data(25)), *_EITHER),
        "format of two bytes.wav": holds(_riff(_chunk(b"fmt ", b"\1\0"), _data(26)), FAILED),
        "format of 4 GB.wav": holds(_riff(_chunk(b"fmt ", b"\1\0", 0xFFFFFFFF), _data(27)), FAILED),
        "kind unknown.wav": holds(_riff(_fmt(kind=0x7777), _data(28)), FAILED),
        "mp3 inside.wav": holds(_riff(_fmt(kind=0x55, bits=0, align=1), _data(29)), FAILED),
        "extensible.wav": holds(_riff(_fmt(kind=0xFFFE, more=wide + pcm), _data(30)), STORED),
        "extensible unknown.wav": holds(_riff(_fmt(kind=0xFFFE, more=wide + b"?" * 16), _data(31)), FAILED),
        "extensible and short.wav": holds(_riff(_fmt(kind=0xFFFE), _data(32)), *_EITHER),
        "adpcm of garbage.wav": holds(_riff(_fmt(kind=2, bits=4, align=256, more=bytes(34)), _data(33)), *_EITHER),
        "list bomb.wav": holds(_riff(_fmt(), _chunk(b"LIST", b"INFO" + b"IART\xff\xff\xff\x7f"), _data(34)), *_EITHER),
        "ten thousand chunks.wav": holds(_riff(_fmt(), _chunk(b"junk", b"") * 10_000, _data(35)), *_EITHER),
        "chunk of odd size.wav": holds(_riff(_fmt(), b"junk\x03\0\0\0abc", _data(36)), *_EITHER),
        "cue points of garbage.wav": holds(_riff(_fmt(), _chunk(b"cue ", b"\xff" * 100), _data(37)), *_EITHER),
        "bext of garbage.wav": holds(_riff(_fmt(), _chunk(b"bext", b"\xff" * 700), _data(38)), *_EITHER),
        "sampler of garbage.wav": holds(_riff(_fmt(), _chunk(b"smpl", b"\xff" * 60), _data(39)), *_EITHER),
        "big-endian.wav": holds(lambda: _big_endian(), STORED),
        "rf64.wav": holds(lambda: encoded_sound(_rough(40), kind="RF64"), STORED),
        "rf64 without sizes.wav": holds(_riff(_fmt(), _data(41), size=0xFFFFFFFF, magic=b"RF64"), *_EITHER),
        "broadcast.wavex.wav": holds(lambda: encoded_sound(_rough(42), kind="WAVEX"), STORED),
        "noise behind.wav": holds(lambda: encoded_sound(_rough(43)) + noise(900), STORED),
    }


def _big_endian() -> bytes:
    import io

    import soundfile  # pyright: ignore[reportMissingTypeStubs]

    file = io.BytesIO()
    soundfile.write(file, _rough(44), _RATE, format="WAV", subtype="PCM_16", endian="BIG")
    return file.getvalue()


def _with(value: float, place: int = 700, subtype: str = "FLOAT", seed: int = 50) -> bytes:
    samples = _rough(seed).astype(np.float64)
    samples[place] = value
    return encoded_sound(samples, subtype=subtype)


def _samples() -> Table:
    """Samples that are odd, in formats that are not."""
    ramp = np.linspace(0, 1, 8000)
    return {
        "not a number.wav": holds(lambda: _with(np.nan), FAILED),
        "not a number at the end.wav": holds(lambda: _with(np.nan, -1), FAILED),
        "infinite.wav": holds(lambda: _with(np.inf), FAILED),
        "infinite downwards.aiff": holds(
            lambda: encoded_sound(np.where(ramp > 0.5, -np.inf, ramp).astype(np.float32), kind="AIFF", subtype="FLOAT"),
            FAILED,
        ),
        "not a number.caf": holds(
            lambda: encoded_sound(np.full(8000, np.nan, np.float32), kind="CAF", subtype="FLOAT"), FAILED
        ),
        "too large for a float.wav": holds(lambda: _with(1e300, subtype="DOUBLE"), FAILED),
        "far too loud.wav": holds(lambda: _with(30_000.0, seed=51), FAILED),
        "somewhat too loud.wav": holds(lambda: _with(8.0, seed=52), STORED),
        "next to nothing.wav": holds(lambda: encoded_sound(np.full(8000, 1e-40, np.float32), subtype="FLOAT"), STORED),
        "silence.wav": holds(lambda: encoded_sound(np.zeros(_RATE, np.float32)), STORED),
        "all to one side.wav": holds(lambda: encoded_sound(np.full(8000, 0.9, np.float32)), STORED),
        "full scale square.wav": holds(
            lambda: encoded_sound(np.sign(np.sin(np.arange(8000))).astype(np.float32)), STORED
        ),
        "one sample.wav": holds(lambda: encoded_sound(np.full(1, 0.5, np.float32)), *_EITHER),
        "one sample.flac": holds(lambda: encoded_sound(np.full(1, 0.4, np.float32), kind="FLAC"), *_EITHER),
        "one sample.ogg": holds(lambda: encoded_sound(np.full(1, 0.3, np.float32), kind="OGG"), *_EITHER),
        "one sample.mp3": holds(lambda: encoded_sound(np.full(1, 0.2, np.float32), kind="MP3"), *_EITHER),
        "ten samples.wav": holds(lambda: encoded_sound(np.linspace(0, 0.5, 10).astype(np.float32)), *_EITHER),
        "one click.wav": holds(lambda: _click(), STORED),
        "opposite channels.wav": holds(lambda: encoded_sound(np.stack([_rough(53), -_rough(53)], axis=1)), STORED),
        "one dead channel.wav": holds(lambda: encoded_sound(tone(0.5, channels=2)), STORED),
        "64 channels.wav": holds(lambda: encoded_sound(tone(0.05, channels=64)), *_EITHER),
        "100 hertz.wav": holds(lambda: encoded_sound(_rough(54)[:300], 100), *_EITHER),
        "192 kHz.wav": holds(lambda: encoded_sound(_rough(55), 192_000), STORED),
        "384 kHz.flac": holds(lambda: encoded_sound(_rough(56), 384_000, "FLAC"), STORED),
        "eight bit.wav": holds(lambda: encoded_sound(_rough(57), subtype="PCM_U8"), STORED),
        "24 bit.wav": holds(lambda: encoded_sound(_rough(58), subtype="PCM_24"), STORED),
        "32 bit.wav": holds(lambda: encoded_sound(_rough(59), subtype="PCM_32"), STORED),
        "doubles.wav": holds(lambda: encoded_sound(_rough(60), subtype="DOUBLE"), STORED),
        "a-law.wav": holds(lambda: encoded_sound(_rough(61), subtype="ALAW"), STORED),
        "mu-law.wav": holds(lambda: encoded_sound(_rough(62), subtype="ULAW"), STORED),
        "ima adpcm.wav": holds(lambda: encoded_sound(_rough(63), subtype="IMA_ADPCM"), STORED),
        "ms adpcm.wav": holds(lambda: encoded_sound(_rough(64), subtype="MS_ADPCM"), STORED),
        "gsm.wav": holds(lambda: encoded_sound(_rough(65), 8000, subtype="GSM610"), STORED),
        "twenty minutes.flac": holds(lambda: encoded_sound(np.zeros(1200 * 8000, np.int16), 8000, "FLAC"), *_EITHER),
    }


def _click() -> bytes:
    samples = np.zeros(8000, np.float32)
    samples[4000] = 1.0
    return encoded_sound(samples)


def _flac(seed: int) -> bytes:
    return encoded_sound(_rough(seed), kind="FLAC")


def _patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _flacs() -> Table:
    plain = _flac(70)
    info = plain[8:42]
    picture = struct.pack(">I", 3) + struct.pack(">I", 0xFFFFFFF0) + b"image/png" + bytes(30)
    behind = plain[42:]
    return {
        "claims two months.flac": holds(wide_flac_claim, FAILED),
        "length unknown.flac": holds(unknown_length_flac, *_EITHER),
        "claims fewer samples.flac": holds(_patched(_flac(71), 22, (100).to_bytes(4, "big")), *_EITHER),
        "claims more samples.flac": holds(_patched(_flac(72), 22, (800_000).to_bytes(4, "big")), FAILED),
        "rate of zero.flac": holds(_patched(_flac(73), 18, b"\0\0\0"), *_EITHER),
        "blocks of nothing.flac": holds(_patched(_flac(74), 8, bytes(4)), *_EITHER),
        "wrong checksum of all.flac": holds(_patched(_flac(75), 26, b"\xaa" * 16), *_EITHER),
        "wrong checksum of a frame.flac": holds(_patched(_flac(76), 9000, b"\xaa" * 4), *_EITHER),
        "noise in the middle.flac": holds(_patched(_flac(77), 8000, noise(3000)), *_EITHER),
        "no frames.flac": holds(b"fLaC\x80\0\0\x22" + info, FAILED),
        "no streaminfo.flac": holds(b"fLaC\x81\0\0\x04" + bytes(4) + behind[4:], FAILED),
        "metadata of 16 MB.flac": holds(b"fLaC\x00\0\0\x22" + info + b"\x81\xff\xff\xff" + bytes(2000), FAILED),
        "picture of 4 GB.flac": holds(
            b"fLaC\x00\0\0\x22" + info + b"\x06" + len(picture).to_bytes(3, "big") + picture + behind, *_EITHER
        ),
        "ten thousand paddings.flac": holds(b"fLaC\x00\0\0\x22" + info + b"\x01\0\0\0" * 10_000 + behind, *_EITHER),
        "id3 before.flac": holds(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + _flac(78), *_EITHER),
        "only noise behind the magic.flac": holds(b"fLaC" + noise(600), FAILED),
        "24 bit.flac": holds(lambda: encoded_sound(_rough(79), kind="FLAC", subtype="PCM_24"), STORED),
        "eight channels.flac": holds(lambda: encoded_sound(tone(0.2, channels=8), kind="FLAC"), STORED),
    }


def _ogg(seed: int, kind: str = "VORBIS") -> bytes:
    return encoded_sound(_rough(seed, 1.0), _RATE, "OGG", kind)


def _pages(data: bytes) -> list[bytes]:
    """Cut an Ogg file into its pages."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        sizes = data[at + 27 : at + 27 + data[at + 26]]
        end = at + 27 + len(sizes) + sum(sizes)
        found.append(data[at:end])
        at = end
    return found


def _crc(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _page(page: bytes, **change: int) -> bytes:
    """Change an Ogg page's position or serial number, and set its checksum right."""
    position = change.get("position", int.from_bytes(page[6:14], "little"))
    serial = change.get("serial", int.from_bytes(page[14:18], "little"))
    bare = page[:6] + struct.pack("<QI", position, serial) + page[18:22] + bytes(4) + page[26:]
    return bare[:22] + struct.pack("<I", _crc(bare)) + bare[26:]


def _oggs() -> Table:
    pages = _pages(_ogg(80))
    first, headers, *rest = pages
    vast = _page(rest[-1], position=1 << 50)
    other = [_page(page, serial=77) for page in rest]
    return {
        "first page alone.ogg": holds(first, FAILED),
        "headers alone.ogg": holds(first + headers, FAILED),
        "without its first page.ogg": holds(b"".join(pages[1:]), FAILED),
        "pages upside down.ogg": holds(first + headers + b"".join(reversed(rest)), *_EITHER),
        "a page twice.ogg": holds(first + headers + rest[0] + b"".join(rest), *_EITHER),
        "wrong checksum.ogg": holds(_patched(_ogg(81), 22, b"\xaa" * 4), FAILED),
        "wrong checksum of the samples.ogg": holds(first + headers + _patched(rest[0], 22, b"\xaa" * 4), FAILED),
        "position of ages.ogg": holds(first + headers + b"".join(rest[:-1]) + vast, FAILED),
        "another's samples.ogg": holds(first + headers + b"".join(other), FAILED),
        "twice in a row.ogg": holds(_ogg(82) + _ogg(83), *_EITHER),
        "noise in the middle.ogg": holds(_patched(_ogg(84), 5000, noise(900)), *_EITHER),
        "only page heads.ogg": holds((b"OggS" + bytes(23)) * 500, FAILED),
        "pages of the future.ogg": holds(b"OggS\x09" + bytes(400), FAILED),
        "codec unknown.ogg": holds(_page(b"OggS\0\x02" + bytes(20) + b"\x01\x08unknown!"), FAILED),
        "comment of 4 billion.ogg": holds(_commented(b"\xff\xff\xff\xff", b""), FAILED),
        "comments of 60 kB.ogg": holds(_commented(struct.pack("<I", 4), b"octa", 4000), *_EITHER),
        "opus.ogg": holds(lambda: encoded_sound(_rough(85), 48_000, "OGG", "OPUS"), STORED),
        "opus.opus": holds(lambda: encoded_sound(_rough(86), 24_000, "OGG", "OPUS"), STORED),
        "opus headers alone.opus": holds(
            lambda: b"".join(_pages(encoded_sound(_rough(87), 48_000, "OGG", "OPUS"))[:2]), FAILED
        ),
    }


def _commented(length: bytes, vendor: bytes, comments: int = 0) -> bytes:
    """Write a Vorbis comment whose lengths are what is given, and no samples behind it."""
    first = _pages(_ogg(88))[0]
    packet = (
        b"\x03vorbis" + length + vendor + struct.pack("<I", comments) + (struct.pack("<I", 7) + b"k=value") * comments
    )
    packet = packet[:60_000] + b"\x01"
    sizes = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    serial = first[14:18]
    return first + _page(
        b"OggS\0\0" + bytes(8) + serial + struct.pack("<I", 1) + bytes(4) + bytes([len(sizes)]) + sizes + packet
    )


def _id3(content: bytes = b"", size: int | None = None, version: int = 3) -> bytes:
    length = len(content) if size is None else size
    packed = bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, 0]) + packed + content


def _id3_frame(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return name + struct.pack(">I", len(content) if size is None else size) + b"\0\0" + content


def _mp3(seed: int, rate: int = _RATE, seconds: float = 0.5) -> bytes:
    return encoded_sound(_rough(seed, seconds), rate, "MP3")


def _mpegs() -> Table:
    plain = _mp3(90)
    picture = _id3_frame(b"APIC", b"\0image/png\0\x03\0" + noise(1 << 20))
    return {
        "id3 alone.mp3": holds(_id3(_id3_frame(_TEXT_TAG, b"\0a title")), FAILED),
        "id3 of 256 MB.mp3": holds(_id3(b"", (1 << 28) - 1) + plain, FAILED),
        "id3 with a picture of 1 MB.mp3": holds(_id3(picture) + _mp3(91), *_EITHER),
        "id3 frame of 4 GB.mp3": holds(_id3(_id3_frame(_TEXT_TAG, b"\0x", 0xFFFFFFFF)) + _mp3(92), *_EITHER),
        "id3 of a thousand titles.mp3": holds(_id3(_id3_frame(_TEXT_TAG, b"\0title") * 1000) + _mp3(93), *_EITHER),
        "id3 of no unicode.mp3": holds(_id3(_id3_frame(_TEXT_TAG, b"\1\xff\xfe\0\xd8")) + _mp3(94), *_EITHER),
        "id3 with control characters.mp3": holds(_id3(_id3_frame(_TEXT_TAG, b"\0\x1b[31m\x07")) + _mp3(95), *_EITHER),
        "id3 upon id3.mp3": holds(_id3(bytes(20)) * 50 + _mp3(96), *_EITHER),
        "id3 of the future.mp3": holds(_id3(bytes(20), version=9) + _mp3(97), *_EITHER),
        "id3 of size with high bits.mp3": holds(b"ID3\x03\0\0\xff\xff\xff\xff" + _mp3(98), FAILED),
        "garbage before.mp3": holds(noise(700) + _mp3(99), FAILED),
        "garbage between frames.mp3": holds(plain[:2000] + noise(500) + plain[2000:], *_EITHER),
        "zeros between frames.mp3": holds(plain[:1500] + bytes(3000) + plain[1500:], *_EITHER),
        "two rates.mp3": holds(_mp3(100) + _mp3(101, 44_100), *_EITHER),
        "one frame.mp3": holds(_mp3(102)[:300], *_EITHER),
        "one head.mp3": holds(b"\xff\xfb\x90\x64", FAILED),
        "a thousand heads.mp3": holds(b"\xff\xfb\x90\x64" * 1000, *_EITHER),
        "bitrate left open.mp3": holds(b"\xff\xfb\x00\x64" + bytes(500), FAILED),
        "frames of zeros.mp3": holds((b"\xff\xfb\x90\x64" + bytes(413)) * 40, *_EITHER),
        "xing that lies.mp3": holds(_xing(), *_EITHER),
        "tag behind.mp3": holds(_mp3(103) + b"TAG" + b"\xff" * 125, STORED),
        "ape tag of 4 GB behind.mp3": holds(
            _mp3(104) + b"APETAGEX\xd0\x07\0\0\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(12), *_EITHER
        ),
        "stereo at 48 kHz.mp3": holds(lambda: encoded_sound(tone(0.4, 48_000, 2), 48_000, "MP3"), STORED),
        "at 8 kHz.mp3": holds(lambda: _mp3(105, 8000), STORED),
    }


def _xing() -> bytes:
    """Claim four billion frames of MP3."""
    frame = b"\xff\xfb\x90\xc4" + bytes(17) + b"Xing\0\0\0\x03" + b"\xff\xff\xff\xf0\xff\xff\xff\xf0"
    return frame.ljust(417, b"\0") + (b"\xff\xfb\x90\xc4" + bytes(413)) * 20


def _aiff(*chunks: tuple[bytes, bytes], kind: bytes = b"AIFF") -> bytes:
    body = kind + b"".join(
        name + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"FORM" + struct.pack(">I", len(body)) + body


def _comm(
    channels: int = 1, frames: int = 4000, bits: int = 16, rate: str = "400cfa00000000000000", more: bytes = b""
) -> bytes:
    return struct.pack(">HIH", channels, frames, bits) + bytes.fromhex(rate) + more


def _au(
    encoding: int = 3, size: int = 8000, rate: int = _RATE, channels: int = 1, offset: int = 24, seed: int = 0
) -> bytes:
    return b".snd" + struct.pack(">IIIII", offset, size, encoding, rate, channels) + _pcm(seed, 4000)


def _others() -> Table:
    ssnd = (b"SSND", bytes(8) + _pcm(110, 4000))
    caf = encoded_sound(_rough(111), kind="CAF")
    sizeless = caf.index(b"data") + 4
    return {
        "good.aiff": holds(_aiff((b"COMM", _comm()), ssnd), STORED),
        "no comm.aiff": holds(_aiff(ssnd), FAILED),
        "no samples.aiff": holds(_aiff((b"COMM", _comm(frames=0)), (b"SSND", bytes(8))), FAILED),
        "claims more frames.aiff": holds(_aiff((b"COMM", _comm(frames=0x7FFFFFFF)), ssnd), *_EITHER),
        "no channels.aiff": holds(_aiff((b"COMM", _comm(channels=0)), ssnd), FAILED),
        "rate of zero.aiff": holds(_aiff((b"COMM", _comm(rate="00" * 10)), ssnd), FAILED),
        "rate that is no number.aiff": holds(_aiff((b"COMM", _comm(rate="7fffc000000000000000")), ssnd), FAILED),
        "rate below zero.aiff": holds(_aiff((b"COMM", _comm(rate="c00cfa00000000000000")), ssnd), *_EITHER),
        "bits of 99.aiff": holds(_aiff((b"COMM", _comm(bits=99)), ssnd), FAILED),
        "codec unknown.aifc": holds(_aiff((b"COMM", _comm(more=b"????\0\0")), ssnd, kind=b"AIFC"), FAILED),
        "little endian.aifc": holds(_aiff((b"COMM", _comm(more=b"sowt\0\0")), ssnd, kind=b"AIFC"), STORED),
        "comm of two bytes.aiff": holds(_aiff((b"COMM", b"\0\1"), ssnd), FAILED),
        "good.au": holds(_au(seed=112), STORED),
        "length unknown.au": holds(_au(size=0xFFFFFFFF, seed=113), STORED),
        "claims more.au": holds(_au(size=1 << 30, seed=114), *_EITHER),
        "codec unknown.au": holds(_au(encoding=99, seed=115), FAILED),
        "rate of zero.au": holds(_au(rate=0, seed=116), FAILED),
        "no channels.au": holds(_au(channels=0, seed=117), FAILED),
        "a billion channels.au": holds(_au(channels=1 << 30, seed=118), FAILED),
        "starts beyond the end.au": holds(_au(offset=1 << 30, seed=119), FAILED),
        "a-law.au": holds(_au(encoding=27, seed=120), STORED),
        "good.caf": holds(caf, STORED),
        "length unknown.caf": holds(_patched(encoded_sound(_rough(121), kind="CAF"), sizeless, b"\xff" * 8), *_EITHER),
        "claims more.caf": holds(
            _patched(encoded_sound(_rough(122), kind="CAF"), sizeless, b"\0\0\0\x7f" + bytes(4)), *_EITHER
        ),
        "rate that is no number.caf": holds(
            _patched(encoded_sound(_rough(123), kind="CAF"), 20, b"\x7f\xf8" + bytes(6)), FAILED
        ),
        "head alone.caf": holds(caf[:8], FAILED),
    }


def _foreign() -> Table:
    """Sounds that libsndfile does not decode; a package that does may be installed, and then these are damaged."""
    left_out = (FAILED, SKIPPED)
    return {
        "song.m4a": holds(lambda: mp4(b"M4A "), FAILED),
        "book.m4b": holds(lambda: mp4(b"M4B "), FAILED),
        "box of no length.m4a": holds(mp4(b"M4A ") + bytes(4) + b"moov" + bytes(40), FAILED),
        "boxes within boxes.m4a": holds(mp4(b"M4A ") + _boxes(), FAILED),
        "stream.aac": holds(b"\xff\xf1\x50\x80" + bytes(500), FAILED),
        "call.amr": holds(b"#!AMR\n" + bytes(300), FAILED),
        "song.wma": holds(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + noise(300), FAILED),
        "film.mp4": holds(mp4(b"isom") + b"x", *left_out),
        "film.webm": holds(b"\x1aE\xdf\xa3" + noise(200), *left_out),
        "head alone.mka": holds(b"\x1aE\xdf\xa3\x80", *left_out),
        "notes.mid": holds(b"MThd\0\0\0\x06\0\x01\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0", *left_out),
        "module.mod": holds(noise(1084) + b"M.K." + bytes(100), *left_out),
        "list.m3u": holds("#EXTM3U\n/etc/passwd\nhttp://127.0.0.1/stream.mp3\n", *left_out),
        "list.m3u named.mp3": holds("#EXTM3U\n/etc/hostname\n", FAILED),
        "real.ra": holds(b".ra\xfd\0\x04" + bytes(100), *left_out),
        "sound.w64": holds(lambda: encoded_sound(_rough(130), kind="W64"), *left_out, STORED),
        "sound.voc": holds(lambda: encoded_sound(_rough(131), kind="VOC"), *left_out, STORED),
    }


def _boxes() -> bytes:
    """Box in box in box, four hundred deep."""
    inner = b""
    for _ in range(400):
        inner = struct.pack(">I", len(inner) + 8) + b"moov" + inner
    return inner


def _lies() -> Table:
    return {
        "empty.wav": holds(b"", FAILED),
        "noise.mp3": holds(noise, FAILED),
        "zeros.wav": holds(bytes(5000), FAILED),
        "sparse.wav": is_put(sparse, FAILED),
        "sparse without suffix": is_put(sparse, SKIPPED, FAILED),
        "mp3.wav": holds(lambda: _mp3(140), STORED),
        "flac.mp3": holds(lambda: _flac(141), STORED),
        "ogg.flac": holds(lambda: _ogg(142), STORED),
        "wave.ogg": holds(lambda: encoded_sound(_rough(143)), STORED),
        "wave without suffix": holds(lambda: encoded_sound(_rough(144)), STORED),
        "photo.wav": holds(lambda: encoded_image(photo(60, 44), "PNG"), STORED),
        "text.wav": holds("I am no sound", FAILED),
        "page.mp3": holds("<html><body>404 Not Found", FAILED),
        "pointer.wav": holds("version https://git-lfs.github.com/spec/v1\noid sha256:2\nsize 9\n", FAILED),
        "archive.flac": holds(b"PK\x03\x04" + bytes(120), FAILED),
        "packed.wav": holds(lambda: b"\x1f\x8b\x08\0" + zlib.compress(encoded_sound(_rough(145))), FAILED),
        "raw samples.wav": holds(_pcm(146), FAILED),
        "raw samples.pcm": holds(_pcm(147), SKIPPED, FAILED),
    }

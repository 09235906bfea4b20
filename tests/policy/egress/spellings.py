"""The spellings of addresses, made by rule: texts of IPv4 addresses, and IPv6 addresses that mean one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

WELL_KNOWN = 0x64FF9B << 96
LOCAL_USE = WELL_KNOWN | 1 << 80
PUBLIC_PREFIX = 0x2606_4700 << 96


def ipv4_spellings(address: IPv4Address) -> dict[str, str]:
    """Return what `inet_aton` reads as ``address``, by the kind of spelling."""
    number, (a, b, c, d) = int(address), address.packed
    return {
        "dotted": str(address),
        "decimal": str(number),
        "hexadecimal": hex(number),
        "upper-case hexadecimal": f"0X{number:08X}",
        "octal": f"0{number:o}",
        "two parts": f"{a}.{number & 0xFFFFFF}",
        "three parts": f"{a}.{b}.{number & 0xFFFF}",
        "hexadecimal parts": f"0x{a:x}.0x{b:02x}.0x{c:04x}.0x{d:x}",
        "octal parts": f"0{a:o}.0{b:o}.000{c:o}.0{d:o}",
        "mixed parts": f"0x{a:x}.0{b:o}.{c}.0x{d:x}",
        "mixed short": f"0x{a:02x}.{number & 0xFFFFFF}",
    }


def ipv6_spellings(address: IPv6Address) -> list[str]:
    """Return texts that mean the same address."""
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    head = ":".join(address.exploded.split(":")[:6])
    return [str(address), address.exploded, str(address).upper(), address.exploded.upper(), f"{head}:{low}"]


def unwrapped(inner: IPv4Address) -> dict[str, IPv6Address]:
    """Return the IPv6 addresses whose packets end at ``inner``, by the kind of embedding."""
    number = int(inner)
    forms = {
        "mapped": 0xFFFF << 32 | number,
        "NAT64": WELL_KNOWN | number,
        "6to4": 0x2002 << 112 | number << 80,
        "6to4 with a host": 0x2002 << 112 | number << 80 | 0x0808_0808,
        "compatible": number,
    }
    for bits in (0x0000, 0x0100, 0x0200, 0x0300):
        forms[f"ISATAP {bits:04x}"] = PUBLIC_PREFIX | bits << 48 | 0x5EFE << 32 | number
    if number <= 0xFFFF:
        del forms["compatible"]  # it is :: or ::1 or no address at all
    return {name: IPv6Address(form) for name, form in forms.items()}


def refused_whole(inner: IPv4Address) -> dict[str, IPv6Address]:
    """Return the IPv6 addresses that carry ``inner`` and are never dialled, whatever it is."""
    number = int(inner)
    forms = {
        "translated": 0xFFFF_0000 << 32 | number,
        "Teredo server": 0x2001_0000 << 96 | number << 64 | 0xFFFF_FFFF,
        "Teredo client": 0x2001_0000 << 96 | 0x0808_0808 << 64 | (number ^ 0xFFFF_FFFF),
    }
    for length in (48, 56, 64, 96):
        forms[f"local NAT64 /{length}"] = nat64(LOCAL_USE, length, number)
    for length in (32, 40, 48, 56, 64):
        form = nat64(WELL_KNOWN, length, number)
        if form >> 32 != WELL_KNOWN >> 32:  # else it is one of the /96
            forms[f"well-known NAT64 /{length}"] = form
    return {name: IPv6Address(form) for name, form in forms.items()}


def nat64(prefix: int, length: int, number: int) -> int:
    """Embed as RFC 6052 section 2.2 does: behind the prefix, with bits 64 to 71 left out."""
    if length == 96:
        return prefix | number
    before = max(64 - length, 0)
    high, low = number >> (32 - before), number & ((1 << (32 - before)) - 1)
    return prefix | high << 64 | low << (56 - (32 - before))

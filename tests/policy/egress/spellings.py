"""The spellings of addresses, made by rule: texts of IPv4 addresses, and IPv6 addresses that mean one."""

from __future__ import annotations

from ipaddress import IPv4Address


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

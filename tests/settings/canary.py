"""Values that must never be seen again, and settings that are otherwise complete."""

from __future__ import annotations

TOKEN = "canary-7f3a-Kw9_Zp2x"
KEY = "sk-canary-51Jx-Qm8v"
CANARY = "canary"

BRIDGE = {"remoteUrl": "http://127.0.0.1:8089", "proxyToken": TOKEN}
SERVER = {"openaiApiKey": KEY, "proxyToken": TOKEN}

"""What is known about programs: which leave the machine, which write, delete, and read their input as code."""

from __future__ import annotations

import re
from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NETWORK: Final = _set(
    "curl wget ssh scp sftp rsync ftp telnet nc ncat netcat socat aria2c lynx w3m dig nslookup ping gh glab hub aws "
    "gcloud az kubectl helm heroku flyctl fly vercel netlify sendmail mail mutt twine nmap masscan tor torsocks ngrok cloudflared"
)
NETWORK_WORDS: Final = {
    "git": {"push", "pull", "fetch", "clone", "ls-remote", "send-email"},
    "pip": {"install", "download"}, "pip3": {"install", "download"}, "uv": {"pip", "add", "sync", "publish"},
    "pipx": {"install", "run"}, "poetry": {"install", "add", "publish", "update"},
    "conda": {"install", "create", "update"}, "npm": {"install", "i", "ci", "add", "publish", "update", "login"},
    "yarn": {"install", "add", "publish", "upgrade"}, "pnpm": {"install", "i", "add", "publish", "update"},
    "npx": {""}, "cargo": {"install", "publish", "add", "fetch", "update", "login"}, "gem": {"install", "push"},
    "go": {"get", "install"}, "docker": {"push", "pull", "login", "build", "run"}, "podman": {"push", "pull", "run"},
    "apt": {"install", "update", "upgrade"}, "apt-get": {"install", "update", "upgrade"}, "apk": {"add"},
    "brew": {"install", "update"}, "terraform": {"apply", "destroy", "init"}, "composer": {"install", "require", "update"},
}  # fmt: skip
STAYS: Final = re.compile(r"^(https?://)?(localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(:\d+)?(/|$)")
LOCAL_ARGUMENT: Final = re.compile(r"^(\.|\./.*|\.\[.*\])$")
DELETERS: Final = _set("rm rmdir unlink shred srm")
WRITERS: Final = _set(
    "cp mv install ln touch mkdir truncate tee chmod chown chgrp setfacl patch rsync tar unzip"
)
INTERPRETERS: Final = re.compile(r"^(python[\d.]*|node|perl|ruby|php|deno|bun|osascript|Rscript|lua)$")
NO_PATHS: Final = _set(
    "echo printf export set test [ [[ true false exit kill sleep seq date expr ls stat du which type"
)
PATTERN_FIRST: Final = _set("grep egrep fgrep rg ag ack sed awk gawk jq")
FIND_FILTERS: Final = _set(
    "-name -iname -path -ipath -regex -mtime -mmin -newer -size -empty -maxdepth -user -perm"
)

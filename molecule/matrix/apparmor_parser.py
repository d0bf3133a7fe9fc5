# SPDX-License-Identifier: Apache-2.0
"""apparmor_parser for a kernel without AppArmor: the real parser compiles, a file stands for what the kernel has loaded."""

import pathlib
import re
import subprocess
import sys

REAL = "/usr/sbin/apparmor_parser"
PROFILES = pathlib.Path("/sys/kernel/security/apparmor/profiles")
TALKS_TO_THE_KERNEL = {"--replace", "--remove"}


def main():
    asked = TALKS_TO_THE_KERNEL & set(sys.argv[1:])
    if not asked:
        return subprocess.run([REAL, *sys.argv[1:]], check=False).returncode
    named = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    text = pathlib.Path(named[0]).read_text(encoding="utf-8") if named else sys.stdin.read()
    compiled = subprocess.run([REAL, "--skip-kernel-load", "--skip-cache"], input=text, text=True, check=False)
    if compiled.returncode:
        return compiled.returncode
    name, flags = re.search(r'^profile "?([\w-]+)"?(?: flags=\((.*?)\))?', text, re.MULTILINE).groups()
    modes = dict(re.fullmatch(r"(.*) \((.*)\)", line).groups() for line in PROFILES.read_text(encoding="utf-8").splitlines())
    if asked == {"--remove"}:
        del modes[name]
    else:
        modes[name] = "complain" if "complain" in (flags or "") else "enforce"
    PROFILES.write_text("".join(f"{name} ({mode})\n" for name, mode in modes.items()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

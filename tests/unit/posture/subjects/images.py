# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Images that fail and pass the rules of rules/images.py, and daemons with too many of them."""

from __future__ import annotations

_NOP = "/bin/sh -c #(nop) "
_BASE = "/bin/sh -c #(nop) ADD file:0123456789abcdef in / "

CASES = {
    "image-from-trusted-registry": {
        "fails": [
            {"references": ("nginx:1.27",), "digests": ()},
            {"references": ("registry.example.com.evil.test/web:1",)},
            {"references": ("registry.example.com/shop/web:2.1", "quay.io/shop/web:2.1")},
            {"references": (), "digests": ("evil.test/web@sha256:" + "ab" * 32,)},
            {"references": (), "digests": ()},
            {"references": ("registry.example.com/shops/web:1",), "trusted_registries": ("registry.example.com/shop",)},
            {"kind": "compose service", "image": "nginx:1.27"},
            {"kind": "compose service", "image": "registry.example.com.evil.test/web:1"},
        ],
        "passes": [
            {},
            {"references": (), "digests": ("registry.example.com/web@sha256:" + "ab" * 32,)},
            {"references": ("nginx:1.27",), "trusted_registries": ("docker.io/library",)},
            {"references": ("registry.example.com/shop/web:1",), "trusted_registries": ("registry.example.com/shop",)},
            {"references": ("registry.example.com/shop:1",), "trusted_registries": ("registry.example.com/shop",)},
            {"kind": "compose service", "image": "registry.example.com/shop/web:1"},
            {"kind": "compose service", "image": "nginx", "trusted_registries": ("docker.io/library",)},
        ],
    },
    "image-has-digest": {"fails": [{"digests": ()}], "passes": [{}]},
    "image-has-healthcheck": {"fails": [{"healthcheck": False}], "passes": [{"healthcheck": True}, {"healthcheck": True, "used": False}]},
    "image-updates-with-installation": {
        "fails": [
            {"history": ("RUN /bin/sh -c apt-get update # buildkit", _BASE)},
            {"history": ("/bin/sh -c apt-get -qq update",)},
            {"history": ("RUN /bin/sh -c apt-get -o Acquire::Retries=3 update && rm -rf /tmp/x # buildkit",)},
            {"history": ("/bin/sh -c apk update",)},
            {"history": ("RUN |1 V=<withheld> /bin/bash -o pipefail -c yum -y update # buildkit", "RUN /bin/ash -c apk update")},
            {"history": ("RUN /bin/sh -c pacman -Sy --noconfirm # buildkit",)},
            {"history": ("RUN apt-get update # buildkit",)},
        ],
        "passes": [
            {"history": ("RUN /bin/sh -c apt-get update && apt-get install -y curl # buildkit",)},
            {"history": ("COPY update.sh / # buildkit", _NOP + "COPY file:01 in /update.sh ")},
            {"history": ("RUN /bin/sh -c apk add --update curl # buildkit", "RUN /bin/sh -c apk --no-cache add curl")},
            {"history": ("RUN /bin/sh -c pacman -Syu --noconfirm", "RUN /bin/sh -c pacman -Sy --noconfirm curl")},
            {"history": ("RUN /bin/sh -c npm update # buildkit", "RUN /bin/sh -c echo update # buildkit", 'CMD ["update"]')},
            {"history": ()},
        ],
    },
    "image-copies-files": {
        "fails": [
            {"history": ("ADD https://example.com/app.tar.gz /srv/ # buildkit", _BASE)},
            {"history": ("ADD https://github.com/example/app.git /src # buildkit",)},
            {"history": ("ADD app.py /srv/ # buildkit",)},
            {"history": ("CMD x", _NOP + "ADD file:0123 in /srv/app.py ", _BASE)},
            {"history": ("CMD x", _BASE, _BASE)},
        ],
        "passes": [
            {"history": ("COPY app.py /srv/ # buildkit", _BASE)},
            {"history": ("ADD --checksum=sha256:0123 https://example.com/app.tar.gz /srv/ # buildkit",)},
            {"history": ("ADD --chown=1000 data.tar.xz /srv/ # buildkit",)},
            {"history": ("ADD rootfs.tar.xz / # buildkit",)},
            {"history": ("RUN /bin/sh -c ADD=1 make # buildkit", "# debian.sh --arch 'amd64' out/ 'trixie'")},
        ],
    },
    "image-without-secrets": {"fails": [{"secret_names": ("DB_PASSWORD",)}], "passes": [{"secret_names": ()}]},
    "image-working-dir-inside": {
        "fails": [
            {"working_dir": path}
            for path in ("/proc/self/fd/8", "/proc/self/fd/7/../../..", "//proc/./self//fd/8", "/x/../proc/1/fd/9", "/dev/fd/8", "/proc/thread-self/fd/3")
        ],
        "passes": [{"working_dir": path} for path in ("/srv", "", "/proc-data/self/fd", "/home/proc/self/fd/8")],
    },
    "image-not-old": {"fails": [{"age_days": 91}, {"age_days": 2000}], "passes": [{"age_days": 90}, {"age_days": 0}]},
    "images-are-used": {"fails": [{"images": (40, 21)}], "passes": [{"images": (200, 20)}, {"images": (0, 0)}]},
    "containers-are-used": {
        "fails": [{"containers": (0, 11)}, {"containers": (20, 21)}],
        "passes": [{"containers": (0, 10)}, {"containers": (50, 50)}],
    },
}

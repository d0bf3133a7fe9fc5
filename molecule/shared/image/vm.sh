#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mmdebstrap hook: turns the fresh tree named by the first argument into the root filesystem of a lab machine. The second
# names this directory.
set -eu

root=$1 here=$2

printf '%s\n' '[Match]' 'Name=eth0' '[Network]' 'DHCP=ipv4' 'LinkLocalAddressing=no' > "$root/etc/systemd/network/10-lab.network"
printf '%s\n' 'nameserver 10.0.2.3' > "$root/etc/resolv.conf"
printf '%s\n' 'vm' > "$root/etc/hostname"
printf '%s\n' '127.0.0.1 localhost' '127.0.1.1 vm' > "$root/etc/hosts"
printf '%s\n' 'LABEL=lab-root / ext4 defaults 0 0' > "$root/etc/fstab"
printf '%s\n' 'UseDNS no' 'PrintMotd no' 'UsePAM no' 'MaxSessions 50' > "$root/etc/ssh/sshd_config.d/10-lab.conf"
printf '%s\n' 'APT::Install-Recommends "false";' > "$root/etc/apt/apt.conf.d/90lab"
# What is not on the disk after a power cut cannot tell what happened before it.
mkdir -p "$root/etc/systemd/journald.conf.d" "$root/var/log/journal"
printf '%s\n' '[Journal]' 'Storage=persistent' 'SyncIntervalSec=1s' > "$root/etc/systemd/journald.conf.d/10-lab.conf"
chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service
# Nothing may change a machine behind the back of a test, and each unit costs seconds where the processor is emulated.
chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer man-db.timer systemd-tmpfiles-clean.timer systemd-networkd-wait-online.service getty@tty1.service ldconfig.service \
    systemd-logind.service serial-getty@ttyS0.service modprobe@drm.service modprobe@efi_pstore.service

chroot "$root" sh -s -- /usr/share/bulkhead-lab/busybox.tar < "$here/busybox.sh"

# A small initial RAM disk is unpacked sooner.
printf '%s\n' 'MODULES=list' > "$root/etc/initramfs-tools/conf.d/lab"
printf '%s\n' virtio_pci virtio_blk ext4 >> "$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u -k all
chroot "$root" apt-get clean

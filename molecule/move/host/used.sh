#!/bin/sh
# An engine as people leave it: images of several layers, containers that run and rest, volumes with all that a filesystem can hold.
set -eu
docker import /usr/share/bulkhead-lab/busybox.tar lab/busybox
docker run --name layer lab/busybox sh -c 'mkdir /app && echo first > /app/file && chown 1000:1000 /app/file && rm /bin/vi'
docker commit layer lab/layered
docker rm layer
docker volume create --label kept=yes odd
docker volume create log
docker volume create quiet
docker run --rm --volume odd:/data lab/busybox true
python3 /root/lab/odd_files.py "$(docker volume inspect --format '{{.Mountpoint}}' odd)"
docker run --name resting --volume quiet:/quiet lab/layered sh -c 'echo mine > /own && chown 33:33 /own && test -e /quiet/file || echo there > /quiet/file'
docker network create --subnet 10.77.0.0/24 lan
docker run --detach --name serving --restart always --network lan --volume odd:/data --volume quiet:/quiet lab/layered sleep 100000
docker run --detach --name leaning --network container:serving lab/busybox sleep 100000
# It would write while the fingerprint is taken; converge starts it.
docker create --name writer --restart unless-stopped --volume log:/log lab/layered \
    sh -c 'n=0; test -e /log/lines && n=$(tail -n 1 /log/lines); trap "exit 0" TERM; while :; do n=$((n + 1)); echo $n >> /log/lines; sync; done'
docker create --name wrongly lab/busybox /no/such/program
sync

#!/bin/sh
# A repository of a fleet: a signed commit on the branch main, and one that nobody signed on the branch careless.
set -eu
export HOME=/root GNUPGHOME=/root/.gnupg
mkdir -p "$GNUPGHOME"
chmod 0700 "$GNUPGHOME"
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key fleet@lab.example ed25519 sign never
key=$(gpg --list-secret-keys --with-colons | awk -F: '$1 == "fpr" { print $10; exit }')
work=$(mktemp -d)
cd "$work"
git init --quiet --initial-branch main
git config user.name Fleet
git config user.email fleet@lab.example
cat > fleet.yml <<'END'
- name: Keep the host as the fleet wants it
  ansible.builtin.import_playbook: bulkhead.docker.drift
END
git add fleet.yml
git commit --quiet --gpg-sign="$key" --message 'Keep the host'
git checkout --quiet -b careless
echo '# changed by nobody knows whom' >> fleet.yml
git commit --quiet --no-gpg-sign --all --message 'Careless'
git checkout --quiet main
git clone --quiet --bare . /srv/fleet.git
rm -rf "$work"

# Runs inside a new container. Says on stdout its public host keys, on stderr what it changed.
set -eu
systemctl is-system-running --wait >/dev/null || true
if [ ! -f /etc/ssh/ssh_host_ed25519_key ]; then
  ssh-keygen -q -A >&2
  echo "host keys made" >&2
fi
if ! systemctl is-active --quiet ssh; then
  # sshd gave up at boot: it had no key.
  systemctl reset-failed ssh
  systemctl start ssh
  echo "sshd started" >&2
fi
keys=/home/ansible/.ssh/authorized_keys
if [ "$(cat $keys 2>/dev/null)" != "$FLEET_KEY" ]; then
  install -d -o ansible -g ansible -m 700 /home/ansible/.ssh
  printf '%s\n' "$FLEET_KEY" >$keys
  chown ansible:ansible $keys
  echo "key let in" >&2
fi
cat /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/ssh_host_rsa_key.pub

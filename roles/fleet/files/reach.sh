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
# An engine in here cannot switch IPv6 off in its containers, because /proc/sys is read-only; Debian 13's would refuse to start them.
engine=/etc/systemd/system/docker.service.d/fleet.conf
if [ ! -f $engine ]; then
  mkdir -p /etc/systemd/system/docker.service.d
  printf '[Service]\nEnvironment=DOCKER_ALLOW_IPV6_ON_IPV4_INTERFACE=1\n' >$engine
  systemctl daemon-reload
  echo "engine may run nested" >&2
fi
cat /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/ssh_host_rsa_key.pub

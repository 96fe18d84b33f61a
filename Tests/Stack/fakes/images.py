"""Images that stand in for those of Docker Hub: Debian's programs and their libraries, where the real ones have them.

Entry points, ports and configuration files are those of the real images, as far as the compose file meets them.
"""

import io
import os
import pathlib
import re
import subprocess
import tarfile

import stack

# Holds a pod's namespaces.
PAUSE = "registry.k8s.io/pause:3.9"
CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
ACCOUNTS = "root:x:0:0::/:/bin/sh\nnginx:x:101:101::/:/bin/sh\n"
# Source: <https://github.com/distribution/distribution/blob/v2.8.3/cmd/registry/config-example.yml>
REGISTRY = """\
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000"}
"""
# Source: <https://github.com/nginx/pkg-oss/blob/1.28.0-1/debian/nginx.conf>
NGINX = """\
user nginx;
worker_processes auto;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    log_format main '$remote_addr "$request" $status $body_bytes_sent "$http_user_agent"';
    access_log /dev/stdout main;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
"""

# name: (programs, files, folders, entry point and command)
STAND_INS = {
    "docker.io/library/registry:2": (
        {"/bin/registry": "docker-registry"}, {"/etc/docker/registry/config.yml": REGISTRY}, ["/var/lib/registry"],
        ['ENTRYPOINT ["/bin/registry", "serve"]', 'CMD ["/etc/docker/registry/config.yml"]', "EXPOSE 5000"]),
    "docker.io/chrislusf/seaweedfs:latest": (
        {"/usr/bin/weed": "weed", "/bin/sh": "dash", "/bin/grep": "grep"}, {}, ["/data", "/tmp"],
        ['ENTRYPOINT ["/usr/bin/weed", "-logtostderr=true"]', "ENV PATH=/usr/bin:/bin"]),
    "docker.io/library/nginx:1.28": (
        {"/usr/sbin/nginx": "nginx"},
        {"/etc/nginx/nginx.conf": NGINX, "/etc/ssl/certs/ca-certificates.crt": CERTIFICATES.read_text()},
        ["/etc/nginx/conf.d", "/run", "/var/lib/nginx", "/var/log/nginx"],
        ['ENTRYPOINT ["/usr/sbin/nginx"]', 'CMD ["-g", "daemon off;"]', "EXPOSE 80",
         "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin"]),
    PAUSE: ({"/pause": "sleep"}, {}, [], ['ENTRYPOINT ["/pause", "infinity"]']),
}


def libraries(program):
    """Where the loader finds what a program loads, by the path that it asks for; nothing for a static one."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return {path: os.path.realpath(path) for path in re.findall(r"(/\S+\.so\S*)", listed)}


def file_system(programs, files, folders):
    """A tar archive of them."""
    groups = "".join(f"{line.split(':')[0]}:x:{line.split(':')[3]}:\n" for line in ACCOUNTS.splitlines())
    files = {**files, "/etc/passwd": ACCOUNTS, "/etc/group": groups}
    binaries = {path: os.path.realpath(stack.program(name)) for path, name in programs.items()}
    for here in list(binaries.values()):
        binaries |= libraries(here)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder in folders:
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
        for path, text in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
        for path, here in binaries.items():
            tar.add(here, path.lstrip("/"))
    return archive.getvalue()


def load(docker, folder, *names, stop_signal=None):
    """Gives the stand-ins to docker or podman, which `docker` runs; `folder` is for what it reads.

    docker 20.10 imports no image with a stop signal.
    """
    for name in names or STAND_INS:
        programs, files, folders, changes = STAND_INS[name]
        if stop_signal:
            changes = [*changes, f"STOPSIGNAL {stop_signal}"]
        archive = folder / "stand-in.tar"
        archive.write_bytes(file_system(programs, files, folders))
        docker("import", *(word for change in changes for word in ("--change", change)), archive, name)
        archive.unlink()

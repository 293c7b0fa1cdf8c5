"""Proxies that take HTTP/2 without TLS, in front of a server. Each has one worker.

`bench` is what starts them: it has start(argv, env), as Processes has, and new_folder().
"""
import os

import namespace
from peer import Peer, program


def nginx(bench, upstream, settings=""):
    """One worker. `settings` are of its server block."""
    port = namespace.new_port()
    folder = bench.new_folder()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temp = "".join("  %s_temp_path %s/%s;\n" % (kind, folder, kind) for kind in kinds)
    return _proxy(bench, port, folder, ["nginx", "-p", folder, "-e", "stderr", "-c"], """
daemon off;
user root;
worker_processes 1;
worker_shutdown_timeout 10s;
pid %s/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
%s  upstream backend { server 127.0.0.1:%d; keepalive 32; }
  server {
    listen 127.0.0.1:%d http2;
    %s
    location / { grpc_pass grpc://backend; }
  }
}
""" % (folder, temp, upstream.port, port, settings))


def haproxy(bench, upstream):
    port = namespace.new_port()
    return _proxy(bench, port, bench.new_folder(), ["haproxy", "-W", "-db", "-f"], """
global
  maxconn 1000
  hard-stop-after 10s
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:%d proto h2
  default_backend back
backend back
  server one 127.0.0.1:%d proto h2
""" % (port, upstream.port))


def nghttpx(bench, upstream, settings=""):
    """`settings` are lines of its configuration."""
    port = namespace.new_port()
    folder = bench.new_folder()
    return _proxy(bench, port, folder, ["nghttpx", "--conf"], """
frontend=127.0.0.1,%d;no-tls
backend=127.0.0.1,%d;;proto=h2
pid-file=%s/pid
workers=1
log-level=ERROR
%s
""" % (port, upstream.port, folder, settings))


def _proxy(bench, port, folder, argv, configuration):
    path = os.path.join(folder, "conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(configuration)
    return Peer(bench.start, [program(argv[0]), *argv[1:], path], port, says_so=False)

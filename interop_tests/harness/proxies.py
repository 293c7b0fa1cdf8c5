"""Proxies that take HTTP/2 without TLS, in front of a server. Each has one worker.

`bench` is what starts them: it has start(argv, env) and new_folder(), as Processes has.
"""
import os

import namespace
from peer import Peer, program


def nginx(bench, upstream, settings=""):
    """`settings` are of its server block."""
    port = namespace.new_port()
    return _nginx(bench, upstream, port, """
  server {
    listen 127.0.0.1:%d http2;
    %s
    location / { grpc_pass grpc://backend; }
  }
""" % (port, settings))


def nginx_host(bench, upstream, authority, settings=""):
    """Takes what is for `authority`, and answers anything else with 421: misdirected."""
    port = namespace.new_port()
    # What is about connections nginx takes from the default server, whoever the request is for.
    return _nginx(bench, upstream, port, """
  server {
    listen 127.0.0.1:%d http2 default_server;
    %s
    return 421;
  }
  server {
    listen 127.0.0.1:%d http2;
    server_name %s;
    %s
    location / { grpc_pass grpc://backend; }
  }
""" % (port, settings, port, authority, settings))


def _nginx(bench, upstream, port, servers):
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
%s}
""" % (folder, temp, upstream.port, servers))


def haproxy(bench, upstream, settings=""):
    """Takes HTTP/2 apart and together again. `settings` are of its server line."""
    return _haproxy(bench, upstream, "http", " proto h2", settings)


def haproxy_tcp(bench, upstream):
    """Passes bytes on, as a balancer of connections does."""
    return _haproxy(bench, upstream, "tcp", "", "")


def _haproxy(bench, upstream, mode, protocol, settings):
    port = namespace.new_port()
    return _proxy(bench, port, bench.new_folder(), ["haproxy", "-W", "-db", "-f"], """
global
  maxconn 1000
  hard-stop-after 10s
defaults
  mode %s
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:%d%s
  default_backend back
backend back
  server one 127.0.0.1:%d%s %s
""" % (mode, port, protocol, upstream.port, protocol, settings))


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

// driven/server.cc on grpc-js, which has an HTTP/2 of its own, with grpc-health-check. It behaves.
//
//   node node_server.js PROTO NAME PORT health|none
'use strict';
const readline = require('readline');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const {HealthImplementation} = require('grpc-health-check');

const [proto, name, port, healthy] = process.argv.slice(2);
const {predial} = grpc.loadPackageDefinition(loader.loadSync(proto, {keepCase: true}));
const health = new HealthImplementation({'': 'SERVING'});
const seen = {rpcs: 0};

function unary(call, callback) {
  ++seen.rpcs;
  const metadata = new grpc.Metadata();
  metadata.set('server-name', name);
  metadata.set('seen-authority', call.getHost());
  call.sendMetadata(metadata);
  callback(null, {message: call.request.message});
}

function obey(line) {
  const [number, command, service, status] = line.split(' ');
  if (command === 'set') {
    health.setStatus(service === '-' ? '' : service, status);
  } else if (command !== 'seen') {
    throw new Error(line + ': unknown command');
  }
  console.log(number + ' ' + JSON.stringify(seen));
}

const server = new grpc.Server();
server.addService(predial.echo.v1.Echo.service, {Unary: unary});
if (healthy === 'health') health.addToServer(server);
server.bindAsync('127.0.0.1:' + port, grpc.ServerCredentials.createInsecure(), (error, bound) => {
  if (error) throw error;
  console.log('listening on 127.0.0.1:' + bound);
  readline.createInterface({input: process.stdin}).on('line', obey).on('close', () => process.exit(0));
});

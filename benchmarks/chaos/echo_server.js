// The echo server of chaos.sh on grpc-js, which has an HTTP/2 of its own. Unary RPCs only.
//
//   node echo_server.js PROTO RECORD PORT [MAX_CONNECTION_AGE_MS]
//
// Appends the message of each RPC to RECORD, a line each, before it answers. Prints `listening on
// ADDRESS`.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [proto, recordPath, port, ageMs] = process.argv.slice(2);
const record = fs.openSync(recordPath, 'a');
const {predial} = grpc.loadPackageDefinition(loader.loadSync(proto, {keepCase: true}));

function unary(call, callback) {
  fs.writeSync(record, call.request.message + '\n');
  callback(null, {message: call.request.message, received: 1});
}

const options = ageMs ? {'grpc.max_connection_age_ms': Number(ageMs)} : {};
const server = new grpc.Server(options);
server.addService(predial.echo.v1.Echo.service, {Unary: unary});
server.bindAsync('127.0.0.1:' + port, grpc.ServerCredentials.createInsecure(), (error, bound) => {
  if (error) throw error;
  console.log('listening on 127.0.0.1:' + bound);
});

// grpc.testing.TestService on grpc-js, which has an HTTP/2 of its own: a peer of the interop cases.
//
//   node node_server.js PROTO PORT
//
// PROTO is proto/test_service.proto. Prints `listening on 127.0.0.1:PORT`; SIGTERM ends it.
//
// expect_compressed and response_compressed are ignored: grpc-js shows no server whether a message
// came compressed, and its servers compress nothing.
'use strict';
const {once} = require('events');
const timers = require('timers/promises');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const {HealthImplementation} = require('grpc-health-check');

const INITIAL_KEY = 'x-grpc-test-echo-initial';
const TRAILING_KEY = 'x-grpc-test-echo-trailing-bin';

const [proto, port] = process.argv.slice(2);
const definition = loader.loadSync(proto, {keepCase: true, defaults: true});
const {testing} = grpc.loadPackageDefinition(definition).grpc;

function echoed(call, key) {
  const metadata = new grpc.Metadata();
  for (const value of call.metadata.get(key)) metadata.add(key, value);
  return metadata;
}

// What `wanted`, an EchoStatus, says as an error; null for OK.
function asked(wanted) {
  return wanted && wanted.code ? {code: wanted.code, details: wanted.message} : null;
}

const payload = (size) => ({payload: {body: Buffer.alloc(size)}});

function emptyCall(call, callback) {
  call.sendMetadata(echoed(call, INITIAL_KEY));
  callback(null, {}, echoed(call, TRAILING_KEY));
}

function unaryCall(call, callback) {
  call.sendMetadata(echoed(call, INITIAL_KEY));
  const {response_size: size, response_status: status} = call.request;
  callback(asked(status), payload(size), echoed(call, TRAILING_KEY));
}

function streamingInputCall(call, callback) {
  let sum = 0;
  call.on('data', ({payload}) => { sum += payload ? payload.body.length : 0; });
  call.on('end', () => callback(null, {aggregated_payload_size: sum}));
}

// Sends what `request` asks for; throws the status that it asks for.
async function answer(call, request, signal) {
  for (const {interval_us: interval, size} of request.response_parameters) {
    if (interval) await timers.setTimeout(interval / 1000, undefined, {signal});
    if (!call.write(payload(size))) await once(call, 'drain', {signal});
  }
  const error = asked(request.response_status);
  if (error) throw error;
}

// A handler that ends the stream as `work(call, signal)` ends; `signal` says that the caller is gone.
const streaming = (work) => async (call) => {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  try {
    await work(call, gone.signal);
    call.end(echoed(call, TRAILING_KEY));
  } catch (error) {
    if (gone.signal.aborted) return;
    error.metadata = echoed(call, TRAILING_KEY);
    call.emit('error', error);
  }
};

async function streamingOutputCall(call, signal) {
  await answer(call, call.request, signal);
}

async function fullDuplexCall(call, signal) {
  call.sendMetadata(echoed(call, INITIAL_KEY));
  for await (const request of requests(call)) await answer(call, request, signal);
}

async function halfDuplexCall(call, signal) {
  const all = [];
  for await (const request of requests(call)) all.push(request);
  for (const request of all) await answer(call, request, signal);
}

// Leaves the writing side as it is when the reading ends.
const requests = (call) => call.iterator({destroyOnReturn: false});

const server = new grpc.Server();
server.addService(testing.TestService.service, {
  EmptyCall: emptyCall,
  UnaryCall: unaryCall,
  StreamingInputCall: streamingInputCall,
  StreamingOutputCall: streaming(streamingOutputCall),
  FullDuplexCall: streaming(fullDuplexCall),
  HalfDuplexCall: streaming(halfDuplexCall),
});  // UnimplementedCall is left to grpc-js
new HealthImplementation({'': 'SERVING'}).addToServer(server);
process.on('SIGTERM', () => server.forceShutdown());
server.bindAsync('127.0.0.1:' + port, grpc.ServerCredentials.createInsecure(), (error, bound) => {
  if (error) throw error;
  console.log('listening on 127.0.0.1:' + bound);
});

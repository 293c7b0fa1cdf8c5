// A gRPC echo server whose connections go bad: after SIGUSR2 it resets every stream on those that
// there are with RST_STREAM(INTERNAL_ERROR), and serves new ones well. Nothing but node.
//
//   node poisoned_server.js RECORD PORT
//
// Appends the message of each RPC that it answers to RECORD. Prints `listening on ADDRESS`, and
// `poisoned N` for N connections.
'use strict';
const fs = require('fs');
const http2 = require('http2');

const [recordPath, port] = process.argv.slice(2);
const record = fs.openSync(recordPath, 'a');
const sessions = new Set();
const poisoned = new WeakSet();

// Field 1 of EchoRequest, a string, is also field 1 of EchoResponse: a request without other fields
// is its own answer, frame header (5 bytes), tag and all. Messages here are shorter than 128 bytes.
function messageOf(frame) {
  if (frame.length < 7 || frame[5] !== 0x0a || frame.length !== 7 + frame[6]) {
    throw new Error('not a request of chaos_load: ' + frame.toString('hex'));
  }
  return frame.toString('utf8', 7);
}

function end(stream, status, frame) {
  stream.respond({':status': 200, 'content-type': 'application/grpc'}, {waitForTrailers: true});
  stream.on('wantTrailers', () => stream.sendTrailers({'grpc-status': String(status)}));
  stream.end(frame);
}

const server = http2.createServer();
server.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
});
server.on('sessionError', () => {});
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  if (poisoned.has(stream.session)) {
    stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  if (headers[':path'] !== '/predial.echo.v1.Echo/Unary') {
    stream.resume();
    end(stream, 12);  // UNIMPLEMENTED, the health service included
    return;
  }
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => {
    if (stream.destroyed) return;
    const frame = Buffer.concat(parts);
    fs.writeSync(record, messageOf(frame) + '\n');
    end(stream, 0, frame);
  });
});
process.on('SIGUSR2', () => {
  for (const session of sessions) poisoned.add(session);
  console.log('poisoned ' + sessions.size);
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening on 127.0.0.1:' + server.address().port);
});

#include "plugin/testing/scripted_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace predial {

ScriptedConnection::ScriptedConnection(EventLoop& loop, UniqueFd socket, int index,
                                       ConnectionScript script, Server& server,
                                       RecordKeeper& record)
    : loop_(loop),
      socket_(std::move(socket)),
      index_(index),
      script_(std::move(script)),
      server_(server),
      record_(record),
      reading_(script_.reads) {
  const int on = 1;  // not for a unix socket
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  Do(script_.greeting);
}

ScriptedConnection::~ScriptedConnection() { loop_.Unwatch(watch_); }

void ScriptedConnection::Do(const Steps& steps) {
  steps_.insert(steps_.end(), steps.begin(), steps.end());
  Continue();
}

void ScriptedConnection::Continue() {
  if (!socket_.valid()) return;
  RunSteps();
  Flush();
  // Some steps wait until everything is sent.
  if (socket_.valid() && out_.empty()) RunSteps();
  UpdateWatch();
}

void ScriptedConnection::OnEvents(uint32_t events) {
  if (reading_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    ReadSome();
  } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    Note([](RecordedConnection& connection) { connection.client_closed = true; });
    Close();
  }
  Continue();
}

void ScriptedConnection::ReadSome() {
  char bytes[16384];
  const ssize_t size = recv(socket_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    reading_ = false;
    Note([](RecordedConnection& connection) { connection.client_closed = true; });
    // gRPC clients half-close never: who closes is gone.
    Close();
    return;
  }
  reader_.Append(absl::string_view(bytes, size));
  ParseFrames();
}

void ScriptedConnection::ParseFrames() {
  if (!preface_) {
    if (!reader_.StartsLike(kHttp2ClientPreface)) return Fail("not HTTP/2's preface");
    preface_ = reader_.Take(kHttp2ClientPreface);
    if (!preface_) return;
    Note([](RecordedConnection& connection) { connection.preface = true; });
  }
  while (socket_.valid()) {
    const auto frame = reader_.Next();
    if (!frame) return;
    OnFrame(*frame);
  }
}

void ScriptedConnection::OnFrame(const Http2Frame& frame) {
  if (headers_.stream != 0 && frame.type != Http2FrameType::kContinuation) {
    return Fail("no CONTINUATION where one has to come");
  }
  switch (frame.type) {
    case Http2FrameType::kHeaders:
      headers_ = frame;
      headers_.payload = std::string(frame.content());
      if (frame.has(kFlagEndHeaders)) OnHeaderBlock();
      return;
    case Http2FrameType::kContinuation:
      if (frame.stream != headers_.stream) return Fail("CONTINUATION of nothing");
      headers_.payload += frame.payload;
      if (frame.has(kFlagEndHeaders)) OnHeaderBlock();
      return;
    case Http2FrameType::kData:
      return OnData(frame);
    case Http2FrameType::kSettings:
      return OnSettings(frame);
    case Http2FrameType::kPing:
      return OnPing(frame);
    case Http2FrameType::kWindowUpdate:
      return OnWindowUpdate(frame);
    case Http2FrameType::kRstStream:
      return OnReset(frame);
    case Http2FrameType::kGoAway:
      return Note([](RecordedConnection& connection) { connection.goaway = true; });
    case Http2FrameType::kPriority:
    case Http2FrameType::kPushPromise:
      return;
  }
}

void ScriptedConnection::OnHeaderBlock() {
  const Http2Frame block = std::exchange(headers_, {});
  auto headers = decoder_.Decode(block.payload);
  if (!headers.ok()) return Fail(headers.status().message());
  if (block.stream <= newest_stream_ || block.stream % 2 == 0) {
    return Fail(absl::StrCat("HEADERS on stream ", block.stream));
  }
  newest_stream_ = block.stream;
  RecordedRequest request;
  request.connection = index_;
  request.stream = block.stream;
  request.headers = *std::move(headers);
  request.path = request.header(":path");
  request.ended = block.has(kFlagEndStream);
  request.excluded = block.stream > last_stream_;
  if (request.excluded) {
    return record_.Update(
        [&](ServerRecord& record) { record.requests.push_back(std::move(request)); });
  }

  ScriptedStream& stream = streams_[block.stream];
  stream.id = block.stream;
  stream.send_window = initial_window_;
  stream.reply = server_.next_reply(request.path);
  stream.Add(stream.reply.on_headers);
  if (request.ended) stream.Add(stream.reply.on_end);
  record_.Update([&](ServerRecord& record) {
    stream.request = record.requests.size();
    record.requests.push_back(std::move(request));
  });
}

void ScriptedConnection::OnData(const Http2Frame& frame) {
  if (script_.grants_window && !frame.payload.empty()) {
    out_ += EncodeWindowUpdate(0, frame.payload.size());
    out_ += EncodeWindowUpdate(frame.stream, frame.payload.size());
  }
  const auto found = streams_.find(frame.stream);
  if (found == streams_.end()) return;  // it has been answered
  ScriptedStream& stream = found->second;
  const absl::string_view content = frame.content();
  stream.received.append(content.data(), content.size());
  // gRPC's end of what it says is mostly an empty frame of its own; a message comes first.
  std::string message;
  while (stream.TakeMessage(message)) {
    record_.Update(
        [&](ServerRecord& record) { record.requests[stream.request].messages.push_back(message); });
    stream.Add(stream.reply.on_message);
  }
  if (!frame.has(kFlagEndStream)) return;
  record_.Update([&](ServerRecord& record) { record.requests[stream.request].ended = true; });
  stream.Add(stream.reply.on_end);
}

void ScriptedConnection::OnSettings(const Http2Frame& frame) {
  if (frame.has(kFlagAck)) {
    return Note([](RecordedConnection& connection) { ++connection.settings_acks; });
  }
  for (size_t at = 0; at + 6 <= frame.payload.size(); at += 6) {
    const uint32_t id = ReadUint32(frame.payload, at) >> 16;
    const uint32_t value = ReadUint32(frame.payload, at + 2);
    Note([&](RecordedConnection& connection) {
      connection.settings[static_cast<uint16_t>(id)] = value;
    });
    if (id != kSettingInitialWindowSize) continue;
    const int64_t change = value - initial_window_;
    initial_window_ += change;
    for (auto& [stream_id, stream] : streams_) stream.send_window += change;
  }
  if (script_.acknowledges) out_ += EncodeFrame(Http2FrameType::kSettings, kFlagAck, 0, "");
}

void ScriptedConnection::OnPing(const Http2Frame& frame) {
  if (frame.has(kFlagAck)) {
    ++ping_acks_;
    return Note([](RecordedConnection& connection) { ++connection.ping_acks; });
  }
  Note([](RecordedConnection& connection) { ++connection.pings; });
  if (script_.acknowledges) {
    out_ += EncodeFrame(Http2FrameType::kPing, kFlagAck, 0, frame.payload);
  }
}

void ScriptedConnection::OnWindowUpdate(const Http2Frame& frame) {
  const int64_t bytes = ReadUint32(frame.payload) & 0x7fffffff;
  if (frame.stream == 0) {
    send_window_ += bytes;
  } else if (const auto stream = streams_.find(frame.stream); stream != streams_.end()) {
    stream->second.send_window += bytes;
  }
}

void ScriptedConnection::OnReset(const Http2Frame& frame) {
  const auto stream = streams_.find(frame.stream);
  if (stream == streams_.end()) return;
  record_.Update([&](ServerRecord& record) {
    record.requests[stream->second.request].reset =
        static_cast<Http2Error>(ReadUint32(frame.payload));
  });
  streams_.erase(stream);
}

void ScriptedConnection::Flush() {
  while (socket_.valid() && !out_.empty()) {
    const size_t limit = script_.bytes_per_write > 0 ? script_.bytes_per_write : out_.size();
    const ssize_t size =
        send(socket_.get(), out_.data(), std::min(limit, out_.size()), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      Note([](RecordedConnection& connection) { connection.client_closed = true; });
      return Close();
    }
    out_.erase(0, size);
    if (script_.bytes_per_write > 0) return;  // the next when the loop comes round
  }
}

void ScriptedConnection::UpdateWatch() {
  if (!socket_.valid()) return;
  const uint32_t wanted = (reading_ ? EPOLLIN : 0u) | (out_.empty() ? 0u : EPOLLOUT);
  if (watch_ != EventLoop::WatchId::kNone && wanted == watched_) return;
  loop_.Unwatch(watch_);
  watched_ = wanted;
  auto watch = loop_.Watch(socket_.get(), wanted, [this](uint32_t events) { OnEvents(events); });
  if (!watch.ok()) return Fail(watch.status().message());
  watch_ = *watch;
}

void ScriptedConnection::Close() {
  if (!socket_.valid()) return;
  loop_.Unwatch(std::exchange(watch_, EventLoop::WatchId::kNone));
  socket_.Reset();
  out_.clear();
  Note([](RecordedConnection& connection) { connection.closed = true; });
}

void ScriptedConnection::Fail(absl::string_view what) {
  Note([&](RecordedConnection& connection) { connection.error = std::string(what); });
  Close();
}

void ScriptedConnection::Note(const std::function<void(RecordedConnection&)>& change) {
  record_.Update([&](ServerRecord& record) { change(record.connections[index_]); });
}

}  // namespace predial

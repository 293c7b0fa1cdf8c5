// What a member's channel says of RPCs that a server's doings end: code and message, and whether
// the server had seen the RPC. The retry of what was never sent goes by these texts, so this is
// where a gRPC that words them otherwise, or gives them to others, has to fail.
//
// It also shows the texts' limits: the rows that are seen and yet say what an RPC that was never
// sent says. See SeenAllTheSame().
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/io/address.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_server.h"
#include "plugin/testing/server_record.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

constexpr char kUnary[] = "/predial.echo.v1.Echo/Unary";
constexpr char kBidiStream[] = "/predial.echo.v1.Echo/BidiStream";

// What RPCs say that never left, and what the retry knows them by.
constexpr char kGoAway[] = "14 GOAWAY received";
constexpr char kClosed[] = "14 Transport closed";
// The kernel's word for a connection that ended, with or without a RST.
constexpr char kEnded[] =
    "14 (Socket closed|Broken pipe|Connection reset by peer|(recvmsg|sendmsg):.*)";
constexpr char kOk[] = "0 ";
// What breaks HTTP/2's rules, and so the connection.
constexpr char kGarbage[] = "this is no frame of HTTP/2, is it";

// A channel as members have it, and a look at its connection.
class Member {
 public:
  explicit Member(const ScriptedServer& server) {
    UniqueFd fd = ConnectTo(*Address::Parse(server.address()));
    copy_.Reset(dup(fd.get()));
    stub_ = Echo::NewStub(CreateMemberChannel(std::move(fd), {}, {}));
  }
  Echo::Stub& stub() { return *stub_; }
  // Whether gRPC, or the server, has closed it for good.
  bool closed() const {
    pollfd look = {copy_.get(), 0, 0};
    return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
  }
  // "14 GOAWAY received".
  std::string Unary() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kTestPatience);
    EchoRequest request;
    request.set_message("hello");
    EchoResponse response;
    const grpc::Status status = stub_->Unary(&context, request, &response);
    return absl::StrCat(status.error_code(), " ", status.error_message());
  }

 private:
  UniqueFd copy_;
  std::unique_ptr<Echo::Stub> stub_;
};

size_t Seen(ScriptedServer& server) { return server.Record().RequestsTo(kUnary).size(); }

// The server has the whole request, and then does this.
struct SeenCase {
  const char* name;
  Steps steps;
  std::string text;  // of that RPC: a regular expression
  std::string next;  // of one that starts then; kOk: it is sent
};

std::vector<SeenCase> SeenCases() {
  const Step headers = Step::Headers();
  const Step answer = Step::Echo();
  const Step end = Step::Trailers();
  const Http2Error calm = Http2Error::kEnhanceYourCalm;
  return {
      {"GoAwayThenAnswer", {Step::GoAway(kThisStream), headers, answer, end}, kOk, kGoAway},
      {"GoAwayAllThenAnswer", {Step::GoAway(kAllStreams), headers, answer, end}, kOk, kGoAway},
      {"AnswerThenGoAwayZero", {headers, answer, end, Step::GoAway(0)}, kOk, kGoAway},
      {"GoAwayThenClose", {Step::GoAway(kThisStream), Step::Close()}, kEnded, kClosed},
      {"GoAwayAllThenClose", {Step::GoAway(kAllStreams), Step::Close()}, kEnded, kClosed},
      {"GoAwayThenAbort", {Step::GoAway(kThisStream), Step::Abort()}, kEnded, kClosed},
      {"GoAwayThenHalfClose", {Step::GoAway(kThisStream), Step::HalfClose()}, kEnded, kClosed},
      {"GoAwayCalmThenClose",
       {Step::GoAway(kThisStream, calm, "too_many_pings"), Step::Close()},
       kEnded,
       kClosed},
      {"GoAwayThenReset",
       {Step::GoAway(kThisStream), Step::Reset(Http2Error::kInternalError)},
       "13 Received RST_STREAM with error code 2",
       kGoAway},
      {"Close", {Step::Close()}, kEnded, kClosed},
      {"Abort", {Step::Abort()}, kEnded, kClosed},
      {"HalfClose", {Step::HalfClose()}, kEnded, kClosed},
      {"HeadersThenClose", {headers, Step::Close()}, kEnded, kClosed},
      {"AnswerThenClose", {headers, answer, Step::Close()}, kEnded, kClosed},
      {"Garbage", {Step::Bytes(kGarbage)}, "2 Stream removed", kClosed},
      {"NoTrailers", {headers, answer, Step::EndStream()}, "2 Stream removed", kOk},
      {"Refused",
       {Step::Reset(Http2Error::kRefusedStream)},
       "14 Received RST_STREAM with error code 7",
       kOk},
      {"Cancelled",
       {Step::Reset(Http2Error::kCancel)},
       "1 Received RST_STREAM with error code 8",
       kOk},
      {"Calm", {Step::Reset(calm)}, "8 Received RST_STREAM with error code 11", kOk},
      {"Insecure",
       {Step::Reset(Http2Error::kInadequateSecurity)},
       "7 Received RST_STREAM with error code 12",
       kOk},
      {"ResetAfterHeaders",
       {headers, Step::Reset(Http2Error::kInternalError)},
       "13 Received RST_STREAM with error code 2",
       kOk},
      {"ResetBeforeTrailers",
       {headers, answer, Step::Reset(Http2Error::kInternalError)},
       "13 Received RST_STREAM with error code 2",
       kOk},
  };
}

// Seen, and yet they say that they were not. Each is of a server that breaks the rules, or of an
// application that says gRPC's words itself. Two marks tell some of them apart: a response had
// begun, or the connection is not what the text says (see TheTextAloneProvesNothing).
std::vector<SeenCase> SeenAllTheSame() {
  const Step headers = Step::Headers();
  return {
      // "I have not processed it", which RFC 9113 section 6.8 forbids to say of what was processed.
      // An ordinary channel believes it as well.
      {"GoAwayZero", {Step::GoAway(0)}, kGoAway, kGoAway},
      {"GoAwayBefore", {Step::GoAway(kBeforeThisStream)}, kGoAway, kGoAway},
      {"GoAwayBeforeCalm",
       {Step::GoAway(kBeforeThisStream, Http2Error::kEnhanceYourCalm, "too_many_pings")},
       kGoAway,
       kGoAway},
      // The same, when the response has begun: an ordinary channel does not retry these.
      {"HeadersThenGoAwayBefore", {headers, Step::GoAway(kBeforeThisStream)}, kGoAway, kGoAway},
      {"AnswerThenGoAwayBefore",
       {headers, Step::Echo(), Step::GoAway(kBeforeThisStream)},
       kGoAway,
       kGoAway},
      // The GOAWAY lets it through, and then the connection breaks: gRPC's reading fails, and the
      // error that it gives to the RPC has the GOAWAY's code and text. Not so if it is closed.
      {"GoAwayThenGarbage",
       {Step::GoAway(kThisStream), Step::Ping(), Step::AwaitPingAck(), Step::Bytes(kGarbage)},
       kGoAway,
       kClosed},
      {"GoAwayAllThenGarbage",
       {Step::GoAway(kAllStreams), Step::Bytes(kGarbage)},
       kGoAway,
       kClosed},
      // The server's own words, as of one that hands on what its own client was told.
      {"ServersOwnGoAway", {Step::Trailers(14, "GOAWAY received")}, kGoAway, kOk},
      {"ServersOwnClosed", {Step::Trailers(14, "Transport closed")}, kClosed, kOk},
      {"ServersOwnAfterHeaders", {headers, Step::Trailers(14, "GOAWAY received")}, kGoAway, kOk},
  };
}

std::vector<SeenCase> AllSeenCases() {
  std::vector<SeenCase> cases = SeenCases();
  for (SeenCase& more : SeenAllTheSame()) cases.push_back(std::move(more));
  for (const int code : {0, 1, 2, 3, 4, 5, 6, 9, 10, 13}) {
    cases.push_back({"OtherReset",
                     {Step::Reset(static_cast<Http2Error>(code))},
                     absl::StrCat("13 Received RST_STREAM with error code ", code),
                     kOk});
  }
  return cases;
}

TEST(MemberTextsTest, OfRpcsThatTheServerHasSeen) {
  for (const SeenCase& seen : AllSeenCases()) {
    SCOPED_TRACE(absl::StrCat(seen.name, ": ", seen.text));
    ScriptedServer server;
    server.ThenReply(Reply::AtEnd(seen.steps));
    Member member(server);
    EXPECT_THAT(member.Unary(), testing::MatchesRegex(seen.text));
    const auto requests = server.Record().RequestsTo(kUnary);
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_TRUE(requests[0].ended) << "seen in full";
    EXPECT_THAT(member.Unary(), testing::MatchesRegex(seen.next));
    EXPECT_EQ(Seen(server), seen.next == kOk ? 2u : 1u);
  }
}

// Outside the table of those that break the rules no RPC that was seen says what the retry goes by.
TEST(MemberTextsTest, WhoIsSeenDoesNotSayOtherwise) {
  for (const SeenCase& seen : SeenCases()) {
    EXPECT_NE(seen.text, kGoAway) << seen.name;
    EXPECT_NE(seen.text, kClosed) << seen.name;
  }
}

// Whether the connection bears out the text. "Transport closed" is always true of one that is
// closed by the time the RPC ends; the server's own word for it leaves the connection open.
TEST(MemberTextsTest, TheTextAloneProvesNothing) {
  ScriptedServer server;
  server.ThenReply(Reply::Fail(14, "Transport closed"));
  server.ThenReply(Reply::AtEnd({Step::Close()}));
  Member member(server);
  EXPECT_EQ(member.Unary(), kClosed);
  EXPECT_FALSE(member.closed());
  EXPECT_THAT(member.Unary(), testing::MatchesRegex(kEnded));
  EXPECT_EQ(member.Unary(), kClosed);
  EXPECT_TRUE(member.closed());
  EXPECT_EQ(Seen(server), 2u);
}

// RPCs that never leave: the server does its worst while another is under way, which makes gRPC
// read.
class UnseenTest : public testing::Test {
 protected:
  // With room for the stream alone if `limit` is 1.
  void Start(uint32_t limit) {
    ConnectionScript script;
    script.greeting = {Step::Settings({{kSettingMaxConcurrentStreams, limit}})};
    server_.OtherwiseConnection(script);
    server_.ReplyTo(kBidiStream, Reply::AtHeaders({Step::Headers()}));
    member_ = std::make_unique<Member>(server_);
    context_.set_deadline(std::chrono::system_clock::now() + kTestPatience);
    stream_ = member_->stub().BidiStream(&context_);
    reader_ = std::thread([this] {
      EchoResponse response;
      while (stream_->Read(&response)) {
      }
    });
    ASSERT_TRUE(server_.WaitForRequests(kBidiStream, 1));
    ASSERT_TRUE(WaitForAck([](const RecordedConnection& it) { return it.settings_acks >= 1; }));
  }
  bool WaitForAck(bool (*condition)(const RecordedConnection&)) {
    return server_.WaitFor(
        [&](const ServerRecord& record) { return condition(record.connections.at(0)); });
  }
  // Whatever was said to the client before has been read by it.
  bool Ping() {
    server_.Do(0, {Step::Ping()});
    return WaitForAck([](const RecordedConnection& it) { return it.ping_acks >= 1; });
  }
  // Starts an RPC that has to wait for the stream to end, then does `steps`.
  std::string UnaryWhile(const Steps& steps) {
    auto text = std::async(std::launch::async, [this] { return member_->Unary(); });
    // Nobody can see it wait. If it comes later than the steps, it says the same or kClosed.
    server_.Do(0, steps);
    return text.get();
  }
  ~UnseenTest() override {
    context_.TryCancel();
    if (reader_.joinable()) reader_.join();
    if (stream_ != nullptr) stream_->Finish();
    EXPECT_EQ(Seen(server_), 0u);
  }

  ScriptedServer server_;
  std::unique_ptr<Member> member_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>> stream_;
  std::thread reader_;
};

TEST_F(UnseenTest, AfterAGoAway) {
  Start(100);
  server_.Do(0, {Step::GoAway(kNewestStream)});
  ASSERT_TRUE(Ping());
  EXPECT_EQ(member_->Unary(), kGoAway);
  EXPECT_FALSE(member_->closed()) << "the stream goes on";
}

TEST_F(UnseenTest, AfterAGracefulGoAwaysFirstHalf) {
  Start(100);
  server_.Do(0, {Step::GoAway(kAllStreams)});
  ASSERT_TRUE(Ping());
  EXPECT_EQ(member_->Unary(), kGoAway);
}

TEST_F(UnseenTest, AfterAGoAwayWithAnError) {
  Start(100);
  server_.Do(0, {Step::GoAway(kNewestStream, Http2Error::kEnhanceYourCalm, "too_many_pings")});
  ASSERT_TRUE(Ping());
  EXPECT_EQ(member_->Unary(), kGoAway);
}

TEST_F(UnseenTest, AfterTheEnd) {
  Start(100);
  server_.Do(0, {Step::Close()});
  reader_.join();
  EXPECT_EQ(member_->Unary(), kClosed);
  EXPECT_TRUE(member_->closed());
}

TEST_F(UnseenTest, WaitingForAStreamWhenAGoAwayComes) {
  Start(1);
  EXPECT_EQ(UnaryWhile({Step::GoAway(kNewestStream)}), kGoAway);
}

// Not known from those that were seen: the retry leaves them alone.
TEST_F(UnseenTest, WaitingForAStreamWhenTheConnectionEnds) {
  Start(1);
  EXPECT_THAT(UnaryWhile({Step::Close()}),
              testing::MatchesRegex(absl::StrCat(kEnded, "|", kClosed)));
}

}  // namespace
}  // namespace predial

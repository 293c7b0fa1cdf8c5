// Edges: how an answer ends, or does not: trailers, trailers only, HTTP statuses of their own
// (http-grpc-status-mapping.md), content types, 1xx before the answer.
#include "absl/strings/str_cat.h"
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"
#include "interop_tests/edges/raw_answer.h"

namespace predial {
namespace {

using grpc::StatusCode;

constexpr char kNoInterim[] = "gRPC takes no interim responses, and 1xx for the answer";

Edge Make(const std::string& what, Steps steps, EdgeOutcome outcome,
          const std::string& message = "", const char* note = "") {
  Edge edge;
  edge.section = "How it ends";
  edge.what = what;
  edge.reply = Reply::AtEnd(std::move(steps));
  edge.ordinary = outcome;
  edge.message = message;
  edge.note = note;
  return edge;
}

// Trailers only, with these fields.
Edge Only(const std::string& what, const HeaderList& fields, EdgeOutcome outcome,
          const std::string& message = "") {
  HeaderList headers = GoodHeaders();
  headers.insert(headers.end(), fields.begin(), fields.end());
  return Make(absl::StrCat("trailers only: ", what), {RawHeaders(headers, /*end=*/true)}, outcome,
              message);
}

// gRPC 1.51's retry filter takes the status that is not there; in Debian's build an assertion of
// Abseil's ends the process. A member has no such filter.
Edge Aborts(Edge edge) {
  edge.ordinary_aborts = true;
  edge.note =
      "gRPC 1.51's retry filter; a pool that has no member ready takes the ordinary channel";
  return edge;
}

void AddStatuses(std::vector<Edge>& edges) {
  for (int number = 1; number <= StatusCode::UNAUTHENTICATED; ++number) {
    const auto code = static_cast<StatusCode>(number);
    edges.push_back(Make(absl::StrCat("status ", NameOf(code)),
                         {Step::Trailers(number, "100 % \xc3\xa4\n")}, {code}, "100 % \xc3\xa4\n"));
    edges.back().stage = "trailers only";
    edges.push_back(Make(absl::StrCat("status ", NameOf(code)),
                         {Step::Headers(), Step::Echo(), Step::Trailers(number, "too late")},
                         {code}, "too late"));
    edges.back().stage = "after a message";
  }
}

// No grpc-status, but one of HTTP's.
void AddHttpStatuses(std::vector<Edge>& edges) {
  struct Http {
    const char* status;
    StatusCode code;
  };
  for (const Http& http :
       {Http{"400", StatusCode::INTERNAL}, Http{"401", StatusCode::UNAUTHENTICATED},
        Http{"403", StatusCode::PERMISSION_DENIED}, Http{"404", StatusCode::UNIMPLEMENTED},
        Http{"429", StatusCode::UNAVAILABLE}, Http{"500", StatusCode::UNKNOWN},
        Http{"502", StatusCode::UNAVAILABLE}, Http{"503", StatusCode::UNAVAILABLE},
        Http{"504", StatusCode::UNAVAILABLE}}) {
    const HeaderList headers = {{":status", http.status}, {"content-type", "text/html"}};
    edges.push_back(Make(absl::StrCat("HTTP ", http.status, " without a body"),
                         {RawHeaders(headers, /*end=*/true)}, {http.code}));
    edges.push_back(Make(absl::StrCat("HTTP ", http.status, " with a page"),
                         {RawHeaders(headers), RawData("<html>sorry</html>", kFlagEndStream)},
                         {http.code}));
  }
}

}  // namespace

std::vector<Edge> StatusEdges() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const EdgeOutcome unknown{StatusCode::UNKNOWN};
  // What gRPC calls an RPC that ended well, but without the one message.
  const EdgeOutcome no_message{StatusCode::UNIMPLEMENTED};
  const EdgeOutcome unavailable{StatusCode::UNAVAILABLE};
  const Step headers = Step::Headers();
  const Step echo = Step::Echo();
  const Step end = Step::Trailers();
  std::vector<Edge> edges;
  AddStatuses(edges);
  const std::vector<Edge> some = {
      Only("status 0 and no message", {{"grpc-status", "0"}}, no_message),
      Only("status 99", {{"grpc-status", "99"}}, {static_cast<StatusCode>(99)}),
      Only("status \"busy\"", {{"grpc-status", "busy"}}, unknown),
      Aborts(Only("no status", {}, unknown)),
      Only("two statuses", {{"grpc-status", "9"}, {"grpc-status", "10"}}, {StatusCode::ABORTED}),
      Only("a message of bad percents", {{"grpc-status", "9"}, {"grpc-message", "50%, %zz, %4"}},
           {StatusCode::FAILED_PRECONDITION}, "50%, %zz, %4"),
      Aborts(Make("trailers without a status", {headers, echo, RawHeaders({{"x", "y"}}, true)},
                  unknown)),
      Make("trailers with HTTP 200 in them again",
           {headers, echo, RawHeaders({{":status", "200"}, {"grpc-status", "0"}}, true)}, ok),
      Make("no trailers, DATA ends the stream", {headers, echo, Step::EndStream()}, unknown),
      Aborts(Make("headers end the stream", {RawHeaders(GoodHeaders(), true)}, unknown)),
      Make("status OK before any message", {headers, end}, no_message),
      Make("its own \"GOAWAY received\"", {Step::Trailers(14, "GOAWAY received")}, unavailable,
           "GOAWAY received"),
      Make("its own \"Transport closed\"", {Step::Trailers(14, "Transport closed")}, unavailable,
           "Transport closed"),
      Make("its own \"GOAWAY received\" after headers",
           {headers, Step::Trailers(14, "GOAWAY received")}, unavailable, "GOAWAY received"),
      Make("grpc-retry-pushback-ms",
           {Step::Trailers(14, "busy", {{"grpc-retry-pushback-ms", "10"}})}, unavailable, "busy"),
      Make("content-type text/html, the rest as it should be",
           {RawHeaders({{":status", "200"}, {"content-type", "text/html"}}), RawData(GoodMessage()),
            end},
           ok),
      Make("no content-type", {RawHeaders({{":status", "200"}}), RawData(GoodMessage()), end}, ok),
      Make("content-type application/grpc+proto",
           {RawHeaders({{":status", "200"}, {"content-type", "application/grpc+proto"}}),
            RawData(GoodMessage()), end},
           ok),
      Make("no :status",
           {RawHeaders({{"content-type", "application/grpc"}}), RawData(GoodMessage()), end}, ok),
      Make("HTTP 103 before the headers",
           {RawHeaders({{":status", "103"}, {"link", "x"}}), headers, echo, end}, unknown, "",
           kNoInterim),
      Make("HTTP 100 before the headers", {RawHeaders({{":status", "100"}}), headers, echo, end},
           unknown, "", kNoInterim),
  };
  edges.insert(edges.end(), some.begin(), some.end());
  AddHttpStatuses(edges);
  return edges;
}

}  // namespace predial

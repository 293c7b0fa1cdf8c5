#include "interop_tests/edges/edge_table.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <map>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "interop_tests/edges/edge_run.h"

namespace predial {
namespace {

constexpr absl::string_view kBegin = "<!-- edges: begin -->\n";
constexpr absl::string_view kEnd = "<!-- edges: end -->\n";
constexpr int kRunsAtOnce = 4;

struct Runs {
  EdgeRun ordinary;
  EdgeRun pool;
};

std::vector<Runs> RunAll(const std::vector<Edge>& edges) {
  std::vector<Runs> runs(edges.size());
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kRunsAtOnce; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < edges.size(); at = next++) {
        if (!edges[at].ordinary_aborts) {
          runs[at].ordinary = RunEdge(edges[at], EdgeChannel::kOrdinary);
        }
        runs[at].pool = RunEdge(edges[at], EdgeChannel::kPool);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return runs;
}

std::string Times(int count) {
  if (count == 1) return "once";
  if (count == 2) return "twice";
  return absl::StrCat(count, " times");
}

std::string Describe(const EdgeRun& run) {
  const EdgeOutcome& outcome = run.outcome;
  std::string text = NameOf(outcome.code);
  if (outcome.messages > 0 && outcome.code != grpc::StatusCode::OK) {
    absl::StrAppend(&text, " after ", outcome.messages,
                    outcome.messages == 1 ? " message" : " messages");
  }
  if (outcome.seen == 0) absl::StrAppend(&text, ", never seen");
  if (outcome.seen > 1) absl::StrAppend(&text, ", seen ", Times(outcome.seen));
  if (!outcome.next) absl::StrAppend(&text, "; those after it fail");
  if (outcome.next && !run.trouble.empty()) absl::StrAppend(&text, "; ", run.trouble);
  return text;
}

struct Line {
  std::string section;
  std::string what;
  std::vector<std::pair<std::string, std::vector<std::string>>> stages;  // and their calls
  std::string ordinary;
  std::string pool;
  std::string note;

  bool IsLike(const Line& other) const {
    return section == other.section && what == other.what && ordinary == other.ordinary &&
           pool == other.pool && note == other.note;
  }
};

// Into the line of its like among those of the same thing, which stand together.
void Add(const Edge& edge, Line line, std::vector<Line>& lines) {
  const auto like = std::find_if(lines.begin(), lines.end(),
                                 [&](const Line& other) { return other.IsLike(line); });
  Line& home = like != lines.end() ? *like : lines.emplace_back(std::move(line));
  if (home.stages.empty() || home.stages.back().first != edge.stage) {
    home.stages.push_back({edge.stage, {}});
  }
  home.stages.back().second.push_back(NameOf(edge.call));
}

// "before headers, after headers: unary; after a message: unary, server stream".
std::string WhenOf(const Line& line) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < line.stages.size(); ++i) {
    const auto& [stage, calls] = line.stages[i];
    std::string stages = stage;
    while (i + 1 < line.stages.size() && line.stages[i + 1].second == calls) {
      absl::StrAppend(&stages, ", ", line.stages[++i].first);
    }
    parts.push_back(absl::StrCat(stages, stages.empty() ? "" : ": ", absl::StrJoin(calls, ", ")));
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace

std::string EdgeTable(const std::vector<Edge>& edges) {
  const std::vector<Runs> runs = RunAll(edges);
  std::vector<Line> lines;
  size_t differ = 0;
  for (size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    const std::string ordinary =
        edge.ordinary_aborts ? "aborts the process" : Describe(runs[i].ordinary);
    std::string pool = Describe(runs[i].pool);
    if (pool != ordinary) ++differ;
    if (pool == ordinary) pool = "the same";
    Add(edge, {edge.section, edge.what, {}, ordinary, std::move(pool), edge.note}, lines);
  }
  std::string table =
      absl::StrCat(edges.size(), " cases; the pool does as the ordinary channel in ",
                   edges.size() - differ, " of them.\n");
  std::string section;
  for (const Line& line : lines) {
    if (line.section != section) {
      section = line.section;
      absl::StrAppend(
          &table, "\n### ", section, "\n\n",
          "| the server sends | when: to which call | ordinary channel | pool | why |\n",
          "|---|---|---|---|---|\n");
    }
    absl::StrAppend(&table, "| ", line.what, " | ", WhenOf(line), " | ", line.ordinary, " | ",
                    line.pool, " | ", line.note, " |\n");
  }
  return table;
}

absl::StatusOr<std::string> WithTable(absl::string_view document, absl::string_view table) {
  const size_t begin = document.find(kBegin);
  const size_t end = document.find(kEnd);
  if (begin == absl::string_view::npos || end == absl::string_view::npos || end < begin) {
    return absl::InvalidArgumentError("the document lacks the lines between which the table goes");
  }
  return absl::StrCat(document.substr(0, begin + kBegin.size()), table, document.substr(end));
}

}  // namespace predial

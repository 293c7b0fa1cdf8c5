#include "interop_tests/cases/runner.h"

#include <functional>
#include <memory>

#include "absl/status/statusor.h"

namespace predial {
namespace {

absl::Status OverNewChannel(Api api, const ContenderConfig& config,
                            const std::function<absl::Status(TestClient&)>& use) {
  const absl::StatusOr<std::unique_ptr<Contender>> contender = Contender::Create(config);
  if (!contender.ok()) return contender.status();
  const absl::Status result = use(*MakeTestClient(api, (*contender)->channel()));
  return result.ok() ? (*contender)->End() : result;
}

absl::Status Run(const Case& which, Api api, Contender& contender, const CaseOptions& options) {
  const std::unique_ptr<TestClient> client = MakeTestClient(api, contender.channel());
  CaseRun run;
  run.client = client.get();
  run.over_new_channel = [&](const std::function<absl::Status(TestClient&)>& use) {
    return OverNewChannel(api, contender.config(), use);
  };
  run.affinity_key = contender.affinity_key();
  run.affinity_value = which.name;
  run.options = options;

  if (which.on_new_channels) return which.run(run);
  absl::Status result = contender.Begin();
  if (result.ok()) result = which.run(run);
  return result.ok() ? contender.End() : result;
}

}  // namespace

CaseResult RunCase(const Case& which, Api api, Contender& contender, const CaseOptions& options) {
  const auto began = std::chrono::steady_clock::now();
  CaseResult result;
  result.status = Run(which, api, contender, options);
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  return result;
}

}  // namespace predial

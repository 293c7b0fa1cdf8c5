// FakeDialer: a Dialer whose outcomes the test decides. Its connections are socketpairs, so what is
// sent and closed on them behaves as it does on a network; it keeps the servers' ends.
//
// Threads:   that of the loop that it dials on.
// Ownership: the servers' ends are the dialer's until they are taken or closed.
#pragma once

#include <memory>
#include <vector>

#include "plugin/core/types.h"
#include "plugin/io/dialer.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/unique_fd.h"

namespace predial {

class FakeDialer : public Dialer {
 public:
  // A dial that takes this long ends only by being cancelled.
  static constexpr Duration kNever = Duration::max();

  FakeDialer();
  ~FakeDialer() override;

  // What becomes of the next dial that nothing was scripted for yet, and how long that takes.
  void Then(DialResult result, Duration after = Duration::zero());
  // Of all dials beyond the script. At first they succeed at once.
  void Otherwise(DialResult result, Duration after = Duration::zero());

  int dials() const;      // begun so far
  int pending() const;    // under way
  int cancelled() const;  // destroyed before their end

  // The descriptor that dial `index` (0, 1, …), which must have succeeded, gave: for
  // ManualLoop::ReportEvents(). It is not the dialer's any more.
  int dialed_fd(int index) const;
  // The server's end of dial `index`, which must have succeeded. Not valid any more if
  // the test has closed it (Reset()) or taken it (std::move()).
  UniqueFd& server_end(int index);

  // `addresses` must not be empty; the connection is to the first.
  std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>& addresses,
                                    Done done) override;

 private:
  struct State;
  class FakeDial;

  const std::shared_ptr<State> state_;  // shared with the dials under way
};

}  // namespace predial

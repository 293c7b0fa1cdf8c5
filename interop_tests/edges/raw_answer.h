// An answer made by hand, of raw frames: what Step::Headers() and its like would not send.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "plugin/testing/hpack.h"
#include "plugin/testing/script.h"

namespace predial {

// ":status" and "content-type" as they should be.
HeaderList GoodHeaders();
// HEADERS in one frame.
Step RawHeaders(const HeaderList& headers, bool end = false);
Step RawData(absl::string_view payload, uint8_t flags = 0);
// gRPC's prefix and the response that the calls of the edges expect.
std::string GoodMessage();
// `bytes` behind and a length of it before, as PADDED has it.
std::string Padded(absl::string_view payload, int bytes);

}  // namespace predial

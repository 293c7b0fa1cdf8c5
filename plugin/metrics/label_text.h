// Texts that come from outside, made fit for a label's value.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace predial {

// Whether `text` is UTF-8 without control characters. One label value that is not UTF-8 makes
// Prometheus reject the whole scrape. (Quotes and backslashes are left to the serializer.)
bool IsLabelText(absl::string_view text);

// `text` if IsLabelText(text); else with '?' for each byte that is not printable ASCII.
std::string LabelText(absl::string_view text);

}  // namespace predial

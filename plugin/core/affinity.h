// Affinity: which member RPCs with the same key go to. Pure.
//
// Highest random weight (Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
// 1998): every pair of key and member has a score, and a key's members are in order of their
// scores. So one that leaves moves only the keys that it was the first for, to each key's second;
// one that comes takes its share from all, and no other key moves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "plugin/core/picker.h"

namespace predial {

// 64 bits of a key (FNV-1a).
inline uint64_t AffinityKey(absl::string_view value) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : value) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

// `member` is MixTicket() of its id.
inline uint64_t AffinityScore(uint64_t key, uint64_t member) { return MixTicket(key ^ member); }

struct AffinityChoice {
  size_t at;
  uint64_t score;
};

// The key's first of `count` members, of those with a score below `below`, if given; nullopt if
// there is none. `member(i)` is MixTicket() of member i's id. With the score of one choice as
// `below`, the next: at most `count` in all, whatever happens to the list meanwhile.
template <typename Member>
std::optional<AffinityChoice> NextByAffinity(uint64_t key, size_t count,
                                             std::optional<uint64_t> below, const Member& member) {
  std::optional<AffinityChoice> best;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t score = AffinityScore(key, member(i));
    if (below && score >= *below) continue;
    if (!best || score > best->score) best = AffinityChoice{i, score};
  }
  return best;
}

}  // namespace predial

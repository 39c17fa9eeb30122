// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/data/example.hpp>

#include <cstdint>
#include <string_view>

namespace graft {

/// FNV-1a over what a data set consists of: tells whether a checkpoint's cursor, or cached log-probabilities, belong to it.
class Fingerprint {
 public:
  void mix(Index value) { hash_ = (hash_ ^ static_cast<std::uint64_t>(value)) * 0x100000001b3u; }
  /// Bytes.
  void mix(std::string_view bytes) {
    for (char const byte : bytes) mix(Index{static_cast<unsigned char>(byte)});
  }
  /// Tokens and spans.
  void mix(Example const& example) {
    mix(example.tokens());
    for (auto const id : example.ids) mix(Index{id});
    for (TokenSpan const& span : example.supervised) mix(span.begin), mix(span.end);
  }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace graft

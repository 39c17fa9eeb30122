// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace graft {

/// The one exception type that graft throws. `what()` reads `[tag] rule: got values for name`.
class Error : public std::runtime_error {
 public:
  Error(std::string_view tag, std::string const& message)
      : std::runtime_error("[" + std::string(tag) + "] " + message), tag_(tag) {}

  /// The part of the library that refused, for example "lora", "gguf" or "data".
  [[nodiscard]] std::string const& tag() const noexcept { return tag_; }

 private:
  std::string tag_;
};

/// Throws `Error` with the message that results from streaming all `parts`.
///   fail("lora", "rank must be in 1..", limit, ": got rank=", rank, " for ", name);
template <class... Parts>
[[noreturn]] void fail(std::string_view tag, Parts const&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(tag, message.str());
}

/// Throws as `fail` does unless `condition` holds. The parts are streamed only on failure.
template <class... Parts>
void require(bool condition, std::string_view tag, Parts const&... parts) {
  if (!condition) [[unlikely]] fail(tag, parts...);
}

}  // namespace graft

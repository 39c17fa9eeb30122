// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace graft {

/// The one exception type that graft throws. `what()` reads `[tag] rule: got values for name`.
class Error : public std::runtime_error {
 public:
  Error(std::string_view tag, std::string const& message);

  /// The part of the library that refused, for example "lora", "gguf" or "data".
  [[nodiscard]] std::string const& tag() const noexcept { return tag_; }

 private:
  std::string tag_;
};

namespace detail {

/// A part of a message without its type, so that every message is put together by one function: messages stand in hundreds
/// of places, and a stream of its own for each was an eighth of a program. Refers to what it was made of.
class MessagePart {
 public:
  template <class P>
  explicit MessagePart(P const& part) {
    if constexpr (std::convertible_to<P const&, std::string_view>) {
      kind_ = Kind::text;
      text_ = part;
    } else if constexpr (std::same_as<P, char>) {
      kind_ = Kind::text;
      text_ = std::string_view(&part, 1);
    } else if constexpr (std::signed_integral<P> && sizeof(P) > 1) {
      kind_ = Kind::integer;
      integer_ = part;
    } else if constexpr (std::unsigned_integral<P> && sizeof(P) > 1) {
      kind_ = Kind::natural;
      natural_ = part;
    } else if constexpr (std::same_as<P, double> || std::same_as<P, float>) {
      kind_ = Kind::real;
      real_ = static_cast<double>(part);
    } else {
      kind_ = Kind::other;
      other_ = {&part, [](std::ostream& out, void const* object) { out << *static_cast<P const*>(object); }};
    }
  }

  void write(std::ostream& out) const;

 private:
  enum class Kind : std::uint8_t { text, integer, natural, real, other };
  struct Other {
    void const* object;
    void (*write)(std::ostream& out, void const* object);
  };
  Kind kind_;
  union {
    std::string_view text_;
    std::int64_t integer_;
    std::uint64_t natural_;
    double real_;
    Other other_;
  };
};

[[noreturn, gnu::cold]] void fail_with(std::string_view tag, std::initializer_list<MessagePart> parts);

}  // namespace detail

/// Throws `Error` with the message that results from streaming all `parts`.
///   fail("lora", "rank must be in 1..", limit, ": got rank=", rank, " for ", name);
template <class... Parts>
[[noreturn]] void fail(std::string_view tag, Parts const&... parts) {
  detail::fail_with(tag, {detail::MessagePart(parts)...});
}

/// Throws as `fail` does unless `condition` holds. The parts are streamed only on failure.
template <class... Parts>
void require(bool condition, std::string_view tag, Parts const&... parts) {
  if (!condition) [[unlikely]] fail(tag, parts...);
}

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/core/error.tpp>
#endif

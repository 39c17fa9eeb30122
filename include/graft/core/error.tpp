// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

namespace graft {

GRAFT_INLINE Error::Error(std::string_view tag, std::string const& message)
    : std::runtime_error("[" + std::string(tag) + "] " + message), tag_(tag) {}

namespace detail {

GRAFT_INLINE void MessagePart::write(std::ostream& out) const {
  switch (kind_) {
    case Kind::text: out << text_; break;
    case Kind::integer: out << integer_; break;
    case Kind::natural: out << natural_; break;
    case Kind::real: out << real_; break;
    case Kind::other: other_.write(out, other_.object); break;
  }
}

GRAFT_INLINE void fail_with(std::string_view tag, std::initializer_list<MessagePart> parts) {
  std::ostringstream message;
  for (auto const& part : parts) part.write(message);
  throw Error(tag, message.str());
}

}  // namespace detail
}  // namespace graft

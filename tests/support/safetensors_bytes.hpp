// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace graft::test {

/// A safetensors file, right or wrong, without graft's own writer: the length of `header`, `header`, `data` zero bytes.
[[nodiscard]] inline std::string safetensors_bytes(std::string_view header, std::size_t data = 0) {
  auto const length = static_cast<std::uint64_t>(header.size());
  std::string bytes(reinterpret_cast<char const*>(&length), 8);
  bytes += header;
  bytes.append(data, '\0');
  return bytes;
}

}  // namespace graft::test

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace graft::test {

/// Builds a GGUF file byte by byte, right or wrong, without graft's own writer.
struct GgufBytes {
  std::string bytes;

  template <class U>
  GgufBytes& number(U value) {
    bytes.append(reinterpret_cast<char const*>(&value), sizeof value);
    return *this;
  }
  GgufBytes& text(std::string_view value) {
    number(static_cast<std::uint64_t>(value.size()));
    bytes.append(value);
    return *this;
  }
  GgufBytes& header(std::int64_t tensors, std::int64_t keys, std::uint32_t version = 3) {
    bytes += "GGUF";
    return number(version).number(tensors).number(keys);
  }
  GgufBytes& key(std::string_view name, std::int32_t type) { return text(name).number(type); }
  GgufBytes& string_key(std::string_view name, std::string_view value) { return key(name, 8).text(value); }
  GgufBytes& u32_key(std::string_view name, std::uint32_t value) { return key(name, 4).number(value); }
  GgufBytes& array_key(std::string_view name, std::int32_t element, std::uint64_t count) {
    return key(name, 9).number(element).number(count);
  }
  GgufBytes& tensor(std::string_view name, std::initializer_list<std::int64_t> dimensions, std::uint32_t type, std::uint64_t offset) {
    text(name).number(static_cast<std::uint32_t>(dimensions.size()));
    for (std::int64_t const extent : dimensions) number(extent);
    return number(type).number(offset);
  }
  GgufBytes& align(std::size_t alignment = 32) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  GgufBytes& zeros(std::size_t count) {
    bytes.append(count, '\0');
    return *this;
  }
};

}  // namespace graft::test

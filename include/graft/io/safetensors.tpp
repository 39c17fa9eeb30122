// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/json_file.hpp>
#include <graft/io/printable.hpp>
#include <graft/io/safetensors.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

namespace graft {

namespace detail {

/// The offsets that a header entry gives, before they are known to be right.
struct TensorEntry {
  TensorInfo info;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Checks one entry of a header.
class SafetensorsEntryReader {
 public:
  SafetensorsEntryReader(std::string const& file, std::string const& name) : place_(file + ": tensor " + printable(name)) {}

  [[nodiscard]] TensorEntry read(std::string const& name, Json const& entry) const {
    check(entry.is_object(), " must be an object of dtype, shape and data_offsets: got ", JsonObject::shown(entry));
    TensorEntry out;
    out.info.name = name;
    Json const& dtype = member(entry, "dtype");
    check(dtype.is_string(), ": dtype must be a string: got ", JsonObject::shown(dtype));
    out.info.dtype = dtype.get<std::string>();
    SafetensorsDtype const* const known = find_dtype(out.info.dtype);
    check(known != nullptr, " has the unknown dtype \"", printable(out.info.dtype), "\"");

    Json const& shape = member(entry, "shape");
    check(shape.is_array(), ": shape must be an array: got ", JsonObject::shown(shape));
    auto bits = static_cast<std::uint64_t>(known->bits);
    for (Json const& extent : shape) {
      std::uint64_t const value = natural(extent, "a dimension");
      check(std::in_range<Index>(value), ": a dimension is too large: ", value);
      check(value == 0 || bits <= std::numeric_limits<std::uint64_t>::max() / value, " is too large: shape ", JsonObject::shown(shape));
      bits *= value;
      out.info.shape.push_back(static_cast<Index>(value));
    }
    check(bits % 8 == 0, " of dtype ", out.info.dtype, " and shape ", JsonObject::shown(shape), " does not fill whole bytes");

    Json const& offsets = member(entry, "data_offsets");
    check(offsets.is_array() && offsets.size() == 2, ": data_offsets must be [begin, end]: got ", JsonObject::shown(offsets));
    out.begin = natural(offsets[0], "an offset");
    out.end = natural(offsets[1], "an offset");
    check(out.begin <= out.end, ": data_offsets must not run backwards: got ", JsonObject::shown(offsets));
    check(out.end - out.begin == bits / 8, " of dtype ", out.info.dtype, " and shape ", JsonObject::shown(shape), " needs ", bits / 8,
          " bytes, but data_offsets ", JsonObject::shown(offsets), " give ", out.end - out.begin);
    return out;
  }

 private:
  template <class... Parts>
  void check(bool condition, Parts const&... parts) const {
    require(condition, "safetensors", place_, parts...);
  }
  [[nodiscard]] Json const& member(Json const& entry, char const* key) const {
    auto const found = entry.find(key);
    check(found != entry.end(), ": ", key, " is missing");
    return *found;
  }
  [[nodiscard]] std::uint64_t natural(Json const& value, std::string_view what) const {
    check(value.is_number_unsigned(), ": ", what, " must be an integer of at least 0: got ", JsonObject::shown(value));
    return value.get<std::uint64_t>();
  }

  std::string place_;
};

}  // namespace detail

GRAFT_INLINE SafetensorsFile::SafetensorsFile(std::filesystem::path const& path) : file_(path, "safetensors") {
  static_assert(std::endian::native == std::endian::little, "graft maps little-endian files as they are");
  constexpr std::uint64_t largest_header = 100'000'000;
  std::span<std::byte const> const bytes = file_.bytes();
  std::string const place = path.string();
  auto const check = [&](bool condition, auto const&... parts) { require(condition, "safetensors", place, ": ", parts...); };

  check(bytes.size() >= 8, "the file must begin with the 8-byte length of its header: it has ", bytes.size(), " bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  check(length <= largest_header, "the header must have at most ", largest_header, " bytes: its length is given as ", length);
  check(length <= bytes.size() - 8, "the file is truncated: its header of ", length, " bytes ends behind the ", bytes.size(),
        " bytes of the file");
  std::string_view const header(reinterpret_cast<char const*>(bytes.data()) + 8, length);
  check(header.starts_with('{'), "the header must begin with {: it begins with \"", printable(header.substr(0, 8)), "\"");
  detail::Json const json = detail::parse_json(header, "safetensors", place + ": header");

  std::vector<detail::TensorEntry> entries;
  for (auto const& [name, entry] : json.items()) {
    if (name != "__metadata__") {
      entries.push_back(detail::SafetensorsEntryReader(place, name).read(name, entry));
      continue;
    }
    check(entry.is_object() || entry.is_null(), "__metadata__ must be an object of strings: got ", detail::JsonObject::shown(entry));
    for (auto const& [key, value] : entry.items()) {
      check(value.is_string(), "__metadata__ must hold strings only: ", printable(key), " is ", detail::JsonObject::shown(value));
      metadata_.emplace(key, value.get<std::string>());
    }
  }

  std::ranges::sort(entries, {}, [](detail::TensorEntry const& entry) { return std::pair(entry.begin, entry.end); });
  std::span<std::byte const> const data = bytes.subspan(8 + length);
  std::uint64_t position = 0;
  for (detail::TensorEntry& entry : entries) {
    std::string const name = printable(entry.info.name);
    check(entry.begin <= position, "bytes ", position, " to ", entry.begin, " of the data, before tensor ", name,
          ", belong to no tensor");
    check(entry.begin == position, "tensor ", name, " begins at ", entry.begin, " of the data and overlaps the one before, which ends at ",
          position);
    check(entry.end <= data.size(), "the file is truncated: tensor ", name, " ends at byte ", entry.end, " of the data, but there are ",
          data.size());
    entry.info.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    position = entry.end;
    index_.emplace(entry.info.name, tensors_.size());
    tensors_.push_back(std::move(entry.info));
  }
  check(position == data.size(), data.size() - position, " bytes after the last tensor belong to no tensor");
}

GRAFT_INLINE TensorInfo const* SafetensorsFile::find(std::string_view name) const {
  auto const found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace graft

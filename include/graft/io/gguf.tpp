// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/gguf.hpp>
#include <graft/io/printable.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

namespace graft {

static_assert(std::endian::native == std::endian::little, "graft maps little-endian files as they are");

namespace detail {

/// Bytes of one value, 0 for strings and arrays.
[[nodiscard]] constexpr std::size_t gguf_size(GgufType type) {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return sizes[static_cast<std::size_t>(type)];
}

template <class U>
[[nodiscard]] U read_as(std::byte const* from) {
  U value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// The string at `from`, whose length was checked; moves `from` behind it.
[[nodiscard]] inline std::string_view next_string(std::byte const*& from) {
  auto const length = read_as<std::uint64_t>(from);
  std::string_view const text(reinterpret_cast<char const*>(from + 8), length);
  from += 8 + length;
  return text;
}

[[nodiscard]] constexpr bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  if (b != 0 && a > limit / b) return false;
  product = a * b;
  return true;
}

}  // namespace detail

GRAFT_INLINE std::string_view name(GgufType type) {
  constexpr std::string_view names[] = {"u8",     "i8",    "u16",    "i16", "u32", "i32", "f32", "bool",
                                        "string", "array", "u64",    "i64", "f64"};
  return names[static_cast<std::size_t>(type)];
}

/// A position in the file. Every step is checked against the end of the file; errors say what was being read.
class GgufFile::Reader {
 public:
  Reader(std::span<std::byte const> bytes, std::string file) : bytes_(bytes), file_(std::move(file)) {}

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t remaining() const { return bytes_.size() - position_; }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }

  template <class... Parts>
  void check(bool condition, Parts const&... parts) const {
    require(condition, "gguf", file_, ": ", parts...);
  }

  template <class... What>
  std::byte const* take(std::uint64_t size, What const&... what) {
    check(size <= remaining(), "the file is truncated: it ends at byte ", bytes_.size(), ", inside ", what...);
    std::byte const* const at = bytes_.data() + position_;
    position_ += size;
    return at;
  }

  template <class U, class... What>
  U number(What const&... what) {
    return detail::read_as<U>(take(sizeof(U), what...));
  }

  template <class... What>
  std::string_view string(What const&... what) {
    auto const length = number<std::uint64_t>("the length of ", what...);
    check(length <= remaining(), "the length of ", what..., " is ", length, " bytes, but only ", remaining(), " bytes follow");
    return {reinterpret_cast<char const*>(take(length, what...)), length};
  }

  GgufType type(std::string_view key) {
    auto const id = number<std::int32_t>("the type of key ", key);
    check(id >= 0 && id <= 12, "the type of key ", key, " must be in 0..12: got ", id);
    return static_cast<GgufType>(id);
  }

  void booleans(std::byte const* at, std::uint64_t count, std::string_view key) const {
    for (std::uint64_t i = 0; i < count; ++i)
      check(static_cast<unsigned>(at[i]) <= 1, "a bool of key ", key, " must be 0 or 1: got ", static_cast<unsigned>(at[i]));
  }

 private:
  std::span<std::byte const> bytes_;
  std::string file_;
  std::uint64_t position_ = 0;
};

GRAFT_INLINE GgufFile::GgufFile(std::filesystem::path const& path) : file_(path, "gguf") {
  Reader reader(file_.bytes(), path.string());
  std::byte const* const magic = reader.take(4, "the magic number");
  std::string_view const begin(reinterpret_cast<char const*>(magic), 4);
  reader.check(begin == "GGUF", "this is not a GGUF file: it begins with \"", printable(begin), "\"");
  version_ = reader.number<std::uint32_t>("the version");
  reader.check((version_ & 0xffffu) != 0 || version_ == 0, "the file is big-endian, which is not supported");
  reader.check(version_ == 2 || version_ == 3, "the version must be 2 or 3: got ", version_);
  auto const tensor_count = reader.number<std::uint64_t>("the number of tensors");
  auto const key_count = reader.number<std::uint64_t>("the number of keys");
  // The smallest key takes 14 bytes, the smallest tensor entry 33: larger numbers are nonsense, do not allocate for them.
  reader.check(key_count <= reader.remaining() / 14, "a file of ", reader.size(), " bytes cannot have ",
               static_cast<std::int64_t>(key_count), " keys");
  reader.check(tensor_count <= reader.remaining() / 33, "a file of ", reader.size(), " bytes cannot have ",
               static_cast<std::int64_t>(tensor_count), " tensors");
  read_metadata(reader, key_count);
  if (Entry const* const found = entry("general.alignment")) {
    reader.check(found->type == GgufType::u32, "general.alignment must be a u32: it is ", name(found->type));
    alignment_ = detail::read_as<std::uint32_t>(found->data);
    reader.check(std::has_single_bit(static_cast<std::uint64_t>(alignment_)), "general.alignment must be a power of two: got ",
                 alignment_);
  }
  read_tensor_infos(reader, tensor_count);
}

GRAFT_INLINE void GgufFile::read_metadata(Reader& reader, std::uint64_t count) {
  entries_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view const raw = reader.string("key ", i);
    std::string const key = printable(raw);
    reader.check(!raw.empty() && raw.size() < 65536, "the name of key ", i, " must have 1..65535 bytes: got ", raw.size());
    reader.check(entry_index_.emplace(raw, i).second, "the key ", key, " occurs twice");
    Entry next{.key = std::string(raw), .type = reader.type(key)};
    if (next.type == GgufType::array) {
      next.element = reader.type(key);
      reader.check(next.element != GgufType::array, "the key ", key, " holds an array of arrays, which is not supported");
      next.count = reader.number<std::uint64_t>("the length of the array ", key);
      std::size_t const least = next.element == GgufType::string ? 8 : detail::gguf_size(next.element);
      reader.check(next.count <= reader.remaining() / least, "the array ", key, " cannot have ",
                   static_cast<std::int64_t>(next.count), " elements: only ", reader.remaining(), " bytes follow");
    } else {
      next.element = next.type;
    }
    next.data = reader.take(0, "key ", key);
    if (next.element == GgufType::string) {
      for (std::uint64_t j = 0; j < next.count; ++j) (void)reader.string("string ", j, " of key ", key);
    } else {
      reader.take(next.count * detail::gguf_size(next.element), "the value of key ", key);
    }
    if (next.element == GgufType::boolean) reader.booleans(next.data, next.count, key);
    entries_.push_back(std::move(next));
  }
}

GRAFT_INLINE void GgufFile::read_tensor_infos(Reader& reader, std::uint64_t count) {
  std::vector<std::uint64_t> offsets;
  offsets.reserve(count);
  tensors_.reserve(count);
  std::vector<std::uint64_t> sizes;
  sizes.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view const raw = reader.string("the name of tensor ", i);
    std::string const name = printable(raw);
    reader.check(!raw.empty() && raw.size() < 64, "the name of tensor ", i, " must have 1..63 bytes: got ", raw.size());
    reader.check(tensor_index_.emplace(raw, i).second, "the tensor ", name, " occurs twice");
    auto const dimensions = reader.number<std::uint32_t>("the entry of tensor ", name);
    reader.check(dimensions >= 1 && dimensions <= 4, "tensor ", name, " must have 1..4 dimensions: got ", dimensions);
    std::vector<Index> shape(dimensions);
    std::uint64_t elements = 1;
    for (std::uint32_t d = 0; d < dimensions; ++d) {
      auto const extent = reader.number<std::int64_t>("the entry of tensor ", name);
      reader.check(extent >= 1, "dimension ", d, " of tensor ", name, " must be positive: got ", extent);
      reader.check(detail::multiply(elements, static_cast<std::uint64_t>(extent), elements), "the number of elements of tensor ",
                   name, " is too large");
      shape[dimensions - 1 - d] = extent;
    }
    auto const id = reader.number<std::uint32_t>("the entry of tensor ", name);
    GgmlType const* const type = find_ggml_type(id);
    reader.check(type != nullptr, "tensor ", name, " has the unknown type ", id);
    reader.check(shape.back() % type->block_elements == 0, "a row of tensor ", name, " of type ", type->name,
                 " must have a multiple of ", type->block_elements, " elements: got ", shape.back());
    std::uint64_t bytes = 0;
    reader.check(detail::multiply(elements / static_cast<std::uint64_t>(type->block_elements),
                                  static_cast<std::uint64_t>(type->block_bytes), bytes),
                 "the number of bytes of tensor ", name, " is too large");
    sizes.push_back(bytes);
    offsets.push_back(reader.number<std::uint64_t>("the entry of tensor ", name));
    tensors_.push_back({std::string(raw), *type, std::move(shape), {}});
  }
  auto const alignment = static_cast<std::uint64_t>(alignment_);
  auto const padded = [alignment](std::uint64_t size) { return (size + alignment - 1) & ~(alignment - 1); };
  std::uint64_t const start = padded(reader.position());
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    GgufTensor& tensor = tensors_[i];
    std::string const name = printable(tensor.name);
    reader.check(offsets[i] % alignment == 0, "the offset of tensor ", name, " must be a multiple of the alignment ", alignment_,
                 ": got ", offsets[i]);
    reader.check(offsets[i] == expected, "tensor ", name, " must begin right behind the one before, at offset ", expected,
                 ": got ", offsets[i]);
    // Sizes are below 2^63 and everything before lies in the file, so these sums do not overflow.
    std::uint64_t const end = start + offsets[i] + sizes[i];
    reader.check(end <= reader.size(), "the file is truncated: tensor ", name, " ends at byte ", end, ", but the file has ",
                 reader.size(), " bytes");
    tensor.bytes = file_.bytes().subspan(start + offsets[i], sizes[i]);
    expected = padded(offsets[i] + sizes[i]);
  }
}

GRAFT_INLINE GgufTensor const* GgufFile::find_tensor(std::string_view name) const {
  auto const found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

GRAFT_INLINE GgufFile::Entry const* GgufFile::entry(std::string_view key) const {
  auto const found = entry_index_.find(key);
  return found == entry_index_.end() ? nullptr : &entries_[found->second];
}

GRAFT_INLINE void GgufFile::wrong_type(Entry const& entry, std::string_view wanted) const {
  bool const array = entry.type == GgufType::array;
  fail("gguf", path().string(), ": the key ", printable(entry.key), " must be ", wanted, ": it is of type ",
       array ? "array of " : "", name(entry.element));
}

GRAFT_INLINE std::int64_t GgufFile::integer(Entry const& entry, GgufType type, std::byte const* data) const {
  using namespace detail;
  switch (type) {
    case GgufType::u8: return read_as<std::uint8_t>(data);
    case GgufType::i8: return read_as<std::int8_t>(data);
    case GgufType::u16: return read_as<std::uint16_t>(data);
    case GgufType::i16: return read_as<std::int16_t>(data);
    case GgufType::u32: return read_as<std::uint32_t>(data);
    case GgufType::i32: return read_as<std::int32_t>(data);
    case GgufType::i64: return read_as<std::int64_t>(data);
    case GgufType::u64: {
      auto const value = read_as<std::uint64_t>(data);
      require(std::in_range<std::int64_t>(value), "gguf", path().string(), ": the key ", printable(entry.key), " is too large: ",
              value);
      return static_cast<std::int64_t>(value);
    }
    default: wrong_type(entry, entry.type == GgufType::array ? "an array of integers" : "an integer");
  }
}

GRAFT_INLINE double GgufFile::real(Entry const& entry, GgufType type, std::byte const* data) const {
  if (type == GgufType::f32) return static_cast<double>(detail::read_as<float>(data));
  if (type == GgufType::f64) return detail::read_as<double>(data);
  if (type == GgufType::boolean || type == GgufType::string)
    wrong_type(entry, entry.type == GgufType::array ? "an array of numbers" : "a number");
  return static_cast<double>(integer(entry, type, data));
}

GRAFT_INLINE void GgufFile::read(Entry const& entry, bool& value) const {
  if (entry.type != GgufType::boolean) wrong_type(entry, "a bool");
  value = entry.data[0] != std::byte{0};
}

GRAFT_INLINE void GgufFile::read(Entry const& entry, std::int64_t& value) const {
  if (entry.type == GgufType::array) wrong_type(entry, "an integer");
  value = integer(entry, entry.type, entry.data);
}

GRAFT_INLINE void GgufFile::read(Entry const& entry, double& value) const {
  if (entry.type == GgufType::array) wrong_type(entry, "a number");
  value = real(entry, entry.type, entry.data);
}

GRAFT_INLINE void GgufFile::read(Entry const& entry, std::string& value) const {
  if (entry.type != GgufType::string) wrong_type(entry, "a string");
  std::byte const* at = entry.data;
  value = detail::next_string(at);
}

GRAFT_INLINE void GgufFile::read(Entry const& entry, std::vector<std::string>& value) const {
  if (entry.type != GgufType::array || entry.element != GgufType::string) wrong_type(entry, "an array of strings");
  std::byte const* at = entry.data;
  value.reserve(entry.count);
  for (std::uint64_t i = 0; i < entry.count; ++i) value.emplace_back(detail::next_string(at));
}

GRAFT_INLINE void GgufFile::read(Entry const& entry, std::vector<double>& value) const {
  if (entry.type != GgufType::array) wrong_type(entry, "an array of numbers");
  std::size_t const size = detail::gguf_size(entry.element);
  value.reserve(entry.count);
  for (std::uint64_t i = 0; i < entry.count; ++i) value.push_back(real(entry, entry.element, entry.data + i * size));
}

GRAFT_INLINE void GgufFile::read(Entry const& entry, std::vector<std::int64_t>& value) const {
  if (entry.type != GgufType::array) wrong_type(entry, "an array of integers");
  std::size_t const size = detail::gguf_size(entry.element);
  value.reserve(entry.count);
  for (std::uint64_t i = 0; i < entry.count; ++i) value.push_back(integer(entry, entry.element, entry.data + i * size));
}

GRAFT_INLINE std::string GgufFile::summary(Entry const& entry) const {
  constexpr std::uint64_t shown = 4;
  std::size_t const size = detail::gguf_size(entry.element);
  std::byte const* at = entry.data;
  std::string out;
  for (std::uint64_t i = 0; i < std::min(entry.count, shown); ++i) {
    if (i > 0) out += ", ";
    if (entry.element == GgufType::string) {
      std::string_view const text = detail::next_string(at);
      out += "\"" + printable(text, entry.type == GgufType::array ? 24 : 120) + "\"";
      continue;
    }
    if (entry.element == GgufType::boolean) {
      out += *at != std::byte{0} ? "true" : "false";
    } else if (entry.element == GgufType::f32 || entry.element == GgufType::f64 || entry.element == GgufType::u64) {
      char digits[64];
      char* const first = digits;
      auto const end = entry.element == GgufType::f32   ? std::to_chars(first, first + 64, detail::read_as<float>(at))
                       : entry.element == GgufType::f64 ? std::to_chars(first, first + 64, detail::read_as<double>(at))
                                                        : std::to_chars(first, first + 64, detail::read_as<std::uint64_t>(at));
      out.append(first, end.ptr);
    } else {
      out += std::to_string(integer(entry, entry.element, at));
    }
    at += size;
  }
  if (entry.type != GgufType::array) return out;
  return "[" + out + (entry.count > shown ? ", …] (" + std::to_string(entry.count) + " elements)" : "]");
}

GRAFT_INLINE std::vector<GgufKey> GgufFile::keys() const {
  std::vector<GgufKey> keys;
  keys.reserve(entries_.size());
  for (Entry const& entry : entries_) {
    std::string const prefix = entry.type == GgufType::array ? "array of " : "";
    keys.push_back({entry.key, prefix + std::string(name(entry.element)), summary(entry)});
  }
  return keys;
}

}  // namespace graft

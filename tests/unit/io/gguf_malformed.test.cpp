// SPDX-License-Identifier: Apache-2.0
#include <graft/io/gguf.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/gguf_bytes.hpp>
#include <support/message_of.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace graft;
using test::GgufBytes;

namespace {

constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();

struct Case {
  std::string what;
  std::string says;
  std::function<void(GgufBytes&)> build;
};

/// A file with one key and one F32 tensor of four elements, whose parts a case can spoil.
struct Parts {
  std::string key = "k";
  std::string tensor = "w";
  std::int64_t extent = 4;
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

void put(GgufBytes& file, Parts const& parts) {
  file.header(1, 1).u32_key(parts.key, 1).tensor(parts.tensor, {parts.extent}, parts.type, parts.offset).align().zeros(64);
}

Case const cases[] = {
    {"empty file", "the file is truncated: it ends at byte 0, inside the magic number", [](GgufBytes&) {}},
    {"magic cut", "inside the magic number", [](GgufBytes& f) { f.bytes = "GGU"; }},
    {"wrong magic", "this is not a GGUF file: it begins with \"ggml\"", [](GgufBytes& f) { f.bytes = "ggml" + std::string(40, '\0'); }},
    {"magic backwards", "this is not a GGUF file: it begins with \"FUGG\"", [](GgufBytes& f) { f.bytes = "FUGG" + std::string(40, '\0'); }},
    {"binary magic", "it begins with \"\\x00\\x01\\xff\\xfe\"",
     [](GgufBytes& f) { f.number(std::uint8_t{0}).number(std::uint8_t{1}).number(std::uint16_t{0xfeff}).zeros(40); }},
    {"version missing", "inside the version", [](GgufBytes& f) { f.bytes = "GGUF\3"; }},
    {"version 0", "the version must be 2 or 3: got 0", [](GgufBytes& f) { f.header(0, 0, 0); }},
    {"version 1", "the version must be 2 or 3: got 1", [](GgufBytes& f) { f.header(0, 0, 1); }},
    {"future version", "the version must be 2 or 3: got 4", [](GgufBytes& f) { f.header(0, 0, 4); }},
    {"big-endian", "the file is big-endian", [](GgufBytes& f) { f.header(0, 0, 0x03000000); }},
    {"counts missing", "inside the number of tensors", [](GgufBytes& f) { f.bytes = std::string("GGUF\3\0\0\0", 8); }},
    {"key count missing", "inside the number of keys", [](GgufBytes& f) { f.header(0, 0).bytes.resize(20); }},
    {"too many keys", "cannot have 9223372036854775807 keys", [](GgufBytes& f) { f.header(0, huge); }},
    {"negative keys", "cannot have -1 keys", [](GgufBytes& f) { f.header(0, -1).zeros(100); }},
    {"a key too many", "cannot have 2 keys", [](GgufBytes& f) { f.header(0, 2).u32_key("a", 1); }},
    {"too many tensors", "cannot have 9223372036854775807 tensors", [](GgufBytes& f) { f.header(huge, 0); }},
    {"negative tensors", "cannot have -5 tensors", [](GgufBytes& f) { f.header(-5, 0).zeros(100); }},
    {"2^40 tensors", "cannot have 1099511627776 tensors", [](GgufBytes& f) { f.header(std::int64_t{1} << 40, 0).zeros(100); }},
    {"key name longer than the file", "the length of key 0 is 9223372036854775807 bytes",
     [](GgufBytes& f) { f.header(0, 1).number(huge).zeros(64); }},
    {"key name of 2^64-1 bytes", "the length of key 0 is 18446744073709551615 bytes, but only 64 bytes follow",
     [](GgufBytes& f) { f.header(0, 1).number(std::int64_t{-1}).zeros(64); }},
    {"empty key name", "the name of key 0 must have 1..65535 bytes: got 0", [](GgufBytes& f) { f.header(0, 1).u32_key("", 1).zeros(9); }},
    {"key name of 64 KiB", "the name of key 0 must have 1..65535 bytes: got 65536",
     [](GgufBytes& f) { f.header(0, 1).u32_key(std::string(65536, 'k'), 1); }},
    {"unknown value type", "the type of key k must be in 0..12: got 13", [](GgufBytes& f) { f.header(0, 1).key("k", 13).zeros(64); }},
    {"negative value type", "the type of key k must be in 0..12: got -1", [](GgufBytes& f) { f.header(0, 1).key("k", -1).zeros(64); }},
    {"value missing", "inside the value of key a", [](GgufBytes& f) { f.header(0, 1).key("a", 10).zeros(7); }},
    {"bool of 2", "a bool of key k must be 0 or 1: got 2", [](GgufBytes& f) { f.header(0, 1).key("k", 7).number(std::uint8_t{2}); }},
    {"bool of 255 in an array", "a bool of key k must be 0 or 1: got 255",
     [](GgufBytes& f) { f.header(0, 1).array_key("k", 7, 2).number(std::uint8_t{1}).number(std::uint8_t{255}); }},
    {"same key twice", "the key k occurs twice", [](GgufBytes& f) { f.header(0, 2).u32_key("k", 1).u32_key("k", 2); }},
    {"string value too long", "the length of string 0 of key k is 1000 bytes, but only 3 bytes follow",
     [](GgufBytes& f) { f.header(0, 1).key("k", 8).number(std::uint64_t{1000}).zeros(3); }},
    {"unknown element type", "the type of key k must be in 0..12: got 99",
     [](GgufBytes& f) { f.header(0, 1).array_key("k", 99, 1).zeros(64); }},
    {"array of arrays", "the key k holds an array of arrays", [](GgufBytes& f) { f.header(0, 1).array_key("k", 9, 1).zeros(64); }},
    {"array longer than the file", "the array k cannot have 1000 elements: only 64 bytes follow",
     [](GgufBytes& f) { f.header(0, 1).array_key("k", 4, 1000).zeros(64); }},
    {"array of 2^62 u64", "the array k cannot have 4611686018427387904 elements",
     [](GgufBytes& f) { f.header(0, 1).array_key("k", 10, std::uint64_t{1} << 62).zeros(64); }},
    {"array whose size wraps to zero", "the array k cannot have 2305843009213693952 elements",
     [](GgufBytes& f) { f.header(0, 1).array_key("k", 10, std::uint64_t{1} << 61).zeros(64); }},
    {"2^63 strings", "the array k cannot have", [](GgufBytes& f) { f.header(0, 1).array_key("k", 8, std::uint64_t{1} << 63).zeros(64); }},
    {"string in an array too long", "the length of string 1 of key k is 99 bytes",
     [](GgufBytes& f) { f.header(0, 1).array_key("k", 8, 2).text("ok").number(std::uint64_t{99}).zeros(8); }},
    {"alignment of another type", "general.alignment must be a u32: it is u64",
     [](GgufBytes& f) { f.header(0, 1).key("general.alignment", 10).number(std::uint64_t{32}); }},
    {"alignment 0", "general.alignment must be a power of two: got 0", [](GgufBytes& f) { f.header(0, 1).u32_key("general.alignment", 0); }},
    {"alignment 33", "general.alignment must be a power of two: got 33", [](GgufBytes& f) { f.header(0, 1).u32_key("general.alignment", 33); }},
    {"alignment of 2 GiB", "the file is truncated: tensor w ends at byte 2147483664",
     [](GgufBytes& f) { f.header(1, 1).u32_key("general.alignment", 1u << 31).tensor("w", {4}, 0, 0).align().zeros(64); }},
    {"empty tensor name", "the name of tensor 0 must have 1..63 bytes: got 0", [](GgufBytes& f) { put(f, {.tensor = ""}); }},
    {"tensor name of 64 bytes", "the name of tensor 0 must have 1..63 bytes: got 64",
     [](GgufBytes& f) { put(f, {.tensor = std::string(64, 'w')}); }},
    {"tensor name longer than the file", "the length of the name of tensor 0 is",
     [](GgufBytes& f) { f.header(1, 0).number(huge).zeros(64); }},
    {"same tensor twice", "the tensor w occurs twice",
     [](GgufBytes& f) { f.header(2, 0).tensor("w", {8}, 0, 0).tensor("w", {8}, 0, 32).align().zeros(64); }},
    {"no dimensions", "tensor w must have 1..4 dimensions: got 0", [](GgufBytes& f) { f.header(1, 0).tensor("w", {}, 0, 0).zeros(64); }},
    {"five dimensions", "tensor w must have 1..4 dimensions: got 5",
     [](GgufBytes& f) { f.header(1, 0).tensor("w", {1, 1, 1, 1, 1}, 0, 0).zeros(64); }},
    {"2^32-1 dimensions", "tensor w must have 1..4 dimensions: got 4294967295",
     [](GgufBytes& f) { f.header(1, 0).text("w").number(std::uint32_t{0xffffffff}).zeros(64); }},
    {"dimension of zero", "dimension 0 of tensor w must be positive: got 0", [](GgufBytes& f) { put(f, {.extent = 0}); }},
    {"negative dimension", "dimension 0 of tensor w must be positive: got -4", [](GgufBytes& f) { put(f, {.extent = -4}); }},
    {"element count overflows", "the number of elements of tensor w is too large",
     [](GgufBytes& f) { f.header(1, 0).tensor("w", {std::int64_t{1} << 32, std::int64_t{1} << 32}, 0, 0).zeros(64); }},
    {"element count wraps to a small one", "the number of elements of tensor w is too large",
     [](GgufBytes& f) { f.header(1, 0).tensor("w", {std::int64_t{1} << 62, 4, 1, 1}, 0, 0).zeros(64); }},
    {"byte count overflows", "the number of bytes of tensor w is too large", [](GgufBytes& f) { put(f, {.extent = huge / 2}); }},
    {"unknown tensor type", "tensor w has the unknown type 99", [](GgufBytes& f) { put(f, {.type = 99}); }},
    {"removed tensor type", "tensor w has the unknown type 4", [](GgufBytes& f) { put(f, {.type = 4}); }},
    {"negative tensor type", "tensor w has the unknown type 4294967295", [](GgufBytes& f) { put(f, {.type = 0xffffffff}); }},
    {"row no multiple of the block", "a row of tensor w of type Q4_0 must have a multiple of 32 elements: got 33",
     [](GgufBytes& f) { put(f, {.extent = 33, .type = 2}); }},
    {"row no multiple of the super-block", "a row of tensor w of type Q4_K must have a multiple of 256 elements: got 32",
     [](GgufBytes& f) { put(f, {.extent = 32, .type = 12}); }},
    {"offset not aligned", "the offset of tensor w must be a multiple of the alignment 32: got 4", [](GgufBytes& f) { put(f, {.offset = 4}); }},
    {"first tensor not at 0", "tensor w must begin right behind the one before, at offset 0: got 32",
     [](GgufBytes& f) { put(f, {.offset = 32}); }},
    {"offset beyond all", "at offset 0: got 18446744073709551584", [](GgufBytes& f) { put(f, {.offset = ~std::uint64_t{31}}); }},
    {"tensors overlap", "tensor v must begin right behind the one before, at offset 32: got 0",
     [](GgufBytes& f) { f.header(2, 0).tensor("w", {8}, 0, 0).tensor("v", {8}, 0, 0).align().zeros(64); }},
    {"hole between tensors", "tensor v must begin right behind the one before, at offset 32: got 64",
     [](GgufBytes& f) { f.header(2, 0).tensor("w", {8}, 0, 0).tensor("v", {8}, 0, 64).align().zeros(128); }},
    {"tensor entry cut", "inside the entry of tensor w",
     [](GgufBytes& f) { f.header(1, 0).text("w").number(std::uint32_t{4}).number(std::int64_t{1}).number(std::int64_t{1}).zeros(4); }},
    {"data missing", "the file is truncated: tensor w ends at byte 80, but the file has 64 bytes",
     [](GgufBytes& f) { f.header(1, 0).tensor("w", {4}, 0, 0).align(); }},
    {"data one byte short", "the file is truncated: tensor w ends at byte 80, but the file has 79 bytes",
     [](GgufBytes& f) { f.header(1, 0).tensor("w", {4}, 0, 0).align().zeros(15); }},
    {"second tensor missing", "the file is truncated: tensor v ends at byte",
     [](GgufBytes& f) { f.header(2, 0).tensor("w", {8}, 0, 0).tensor("v", {8}, 0, 32).align().zeros(32); }},
    {"tensor of 2^61 bytes", "the file is truncated: tensor w ends at byte", [](GgufBytes& f) { put(f, {.extent = std::int64_t{1} << 59}); }},
    {"control characters in a key", "the key a\\x0ab occurs twice",
     [](GgufBytes& f) { f.header(0, 2).u32_key("a\nb", 1).u32_key("a\nb", 1); }},
    {"safetensors file", "this is not a GGUF file", [](GgufBytes& f) { f.number(std::uint64_t{2}).bytes += "{}"; }},
};

}  // namespace

TEST_CASE("gguf: every malformed file gets its own sentence") {
  test::TemporaryDirectory const folder;
  auto const path = folder / "bad.gguf";
  CHECK(std::size(cases) >= 40);
  for (Case const& one : cases) {
    CAPTURE(one.what);
    GgufBytes file;
    one.build(file);
    test::write_file(path, file.bytes);
    std::string const message = test::message_of([&] { GgufFile const opened(path); });
    CAPTURE(message);
    CHECK(message.starts_with("[gguf] " + path.string() + ": "));
    CHECK(message.find(one.says) != std::string::npos);
  }
}

TEST_CASE("gguf: the file that the cases spoil is a good one") {
  test::TemporaryDirectory const folder;
  GgufBytes file;
  put(file, {});
  test::write_file(folder / "good.gguf", file.bytes);
  CHECK(GgufFile(folder / "good.gguf").tensors().size() == 1);
}

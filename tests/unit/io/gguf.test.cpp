// SPDX-License-Identifier: Apache-2.0
#include <graft/io/gguf.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/gguf_bytes.hpp>
#include <support/message_of.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace graft;
using test::GgufBytes;
using test::message_of;

namespace {

/// Every value type, two tensors, a tensor of a type that graft does not decode.
GgufBytes sample(std::uint32_t version = 3) {
  GgufBytes file;
  file.header(3, 20, version);
  file.string_key("general.architecture", "llama");
  file.key("t.u8", 0).number(std::uint8_t{200});
  file.key("t.i8", 1).number(std::int8_t{-5});
  file.key("t.u16", 2).number(std::uint16_t{65535});
  file.key("t.i16", 3).number(std::int16_t{-300});
  file.key("t.u32", 4).number(std::uint32_t{4000000000u});
  file.key("t.i32", 5).number(std::int32_t{-7});
  file.key("t.f32", 6).number(1e-5f);
  file.key("t.bool", 7).number(std::uint8_t{1});
  file.string_key("t.text", "two\nlines \xc3\xa9 \xff");
  file.key("t.u64", 10).number(std::numeric_limits<std::uint64_t>::max());
  file.key("t.i64", 11).number(std::numeric_limits<std::int64_t>::min());
  file.key("t.f64", 12).number(0.1);
  file.array_key("t.strings", 8, 5).text("a").text("").text("ccc").text("d").text("e");
  file.array_key("t.floats", 6, 2).number(1.5f).number(-2.0f);
  file.array_key("t.ints", 5, 3).number(1).number(-2).number(3);
  file.array_key("t.bools", 7, 2).number(std::uint8_t{0}).number(std::uint8_t{1});
  file.array_key("t.empty", 8, 0);
  file.array_key("t.u64s", 10, 1).number(std::uint64_t{1} << 63);
  file.string_key("t.none", "");
  file.tensor("token_embd.weight", {64, 3}, 3, 0);          // Q4_1: 3 rows of 40 bytes
  file.tensor("odd", {256, 2}, 19, 128);                    // IQ1_S: 2 rows of 50 bytes
  file.tensor("output_norm.weight", {5}, 0, 128 + 128);     // F32
  file.align();
  for (int i = 0; i < 120; ++i) file.number(static_cast<std::uint8_t>(i));
  file.align().zeros(100).align();
  for (int i = 0; i < 5; ++i) file.number(static_cast<float>(i));
  return file;
}

GgufFile open(test::TemporaryDirectory const& folder, std::string const& bytes) {
  test::write_file(folder / "f.gguf", bytes);
  return GgufFile(folder / "f.gguf");
}

}  // namespace

TEST_CASE("gguf: reads every value type, versions 2 and 3") {
  for (std::uint32_t const version : {2u, 3u}) {
    test::TemporaryDirectory const folder;
    GgufFile const file = open(folder, sample(version).bytes);
    CHECK(file.version() == version);
    CHECK(file.architecture() == "llama");
    CHECK(file.get<std::int64_t>("t.u8") == 200);
    CHECK(file.get<std::int64_t>("t.i8") == -5);
    CHECK(file.get<std::int64_t>("t.u16") == 65535);
    CHECK(file.get<std::int64_t>("t.i16") == -300);
    CHECK(file.get<std::int64_t>("t.u32") == 4000000000);
    CHECK(file.get<std::int64_t>("t.i32") == -7);
    CHECK(file.get<std::int64_t>("t.i64") == std::numeric_limits<std::int64_t>::min());
    CHECK(file.get<double>("t.f32") == static_cast<double>(1e-5f));
    CHECK(file.get<double>("t.f64") == 0.1);
    CHECK(file.get<double>("t.i32") == -7.0);
    CHECK(file.get<bool>("t.bool"));
    CHECK(file.get<std::string>("t.text") == "two\nlines \xc3\xa9 \xff");
    CHECK(file.get<std::string>("t.none").empty());
    CHECK(file.get<std::vector<std::string>>("t.strings") == std::vector<std::string>{"a", "", "ccc", "d", "e"});
    CHECK(file.get<std::vector<double>>("t.floats") == std::vector<double>{1.5, -2.0});
    CHECK(file.get<std::vector<double>>("t.ints") == std::vector<double>{1, -2, 3});
    CHECK(file.get<std::vector<std::int64_t>>("t.ints") == std::vector<std::int64_t>{1, -2, 3});
    CHECK(file.get<std::vector<std::string>>("t.empty").empty());
  }
}

TEST_CASE("gguf: a missing key is empty in find and an error in get") {
  test::TemporaryDirectory const folder;
  GgufFile const file = open(folder, sample().bytes);
  CHECK(!file.has("nothing"));
  CHECK(file.has("t.u8"));
  CHECK(!file.find<std::int64_t>("nothing").has_value());
  CHECK(message_of([&] { (void)file.get<std::string>("nothing"); }) ==
        "[gguf] " + (folder / "f.gguf").string() + ": the key nothing is missing");
}

TEST_CASE("gguf: a value of another type or out of range is an error, never a conversion") {
  test::TemporaryDirectory const folder;
  GgufFile const file = open(folder, sample().bytes);
  auto const says = [](auto&& f, std::string const& part) { return message_of(f).find(part) != std::string::npos; };
  CHECK(says([&] { (void)file.get<std::int64_t>("t.f32"); }, "the key t.f32 must be an integer: it is of type f32"));
  CHECK(says([&] { (void)file.get<std::int64_t>("t.ints"); }, "must be an integer: it is of type array of i32"));
  CHECK(says([&] { (void)file.get<std::int64_t>("t.bool"); }, "must be an integer: it is of type bool"));
  CHECK(says([&] { (void)file.get<std::int64_t>("t.u64"); }, "the key t.u64 is too large: 18446744073709551615"));
  CHECK(says([&] { (void)file.get<std::vector<std::int64_t>>("t.u64s"); }, "the key t.u64s is too large"));
  CHECK(says([&] { (void)file.get<bool>("t.u8"); }, "must be a bool: it is of type u8"));
  CHECK(says([&] { (void)file.get<double>("t.text"); }, "must be a number: it is of type string"));
  CHECK(says([&] { (void)file.get<double>("t.floats"); }, "must be a number: it is of type array of f32"));
  CHECK(says([&] { (void)file.get<std::string>("t.u8"); }, "must be a string"));
  CHECK(says([&] { (void)file.get<std::string>("t.strings"); }, "must be a string: it is of type array of string"));
  CHECK(says([&] { (void)file.get<std::vector<std::string>>("t.text"); }, "must be an array of strings: it is of type string"));
  CHECK(says([&] { (void)file.get<std::vector<std::string>>("t.ints"); }, "must be an array of strings"));
  CHECK(says([&] { (void)file.get<std::vector<double>>("t.strings"); }, "must be an array of numbers"));
  CHECK(says([&] { (void)file.get<std::vector<double>>("t.bools"); }, "must be an array of numbers"));
  CHECK(says([&] { (void)file.get<std::vector<std::int64_t>>("t.floats"); }, "must be an array of integers"));
  CHECK(says([&] { (void)file.get<std::vector<std::int64_t>>("t.u8"); }, "must be an array of integers"));
}

TEST_CASE("gguf: tensors have their shape in row-major order and their bytes") {
  test::TemporaryDirectory const folder;
  GgufFile const file = open(folder, sample().bytes);
  REQUIRE(file.tensors().size() == 3);
  GgufTensor const* const weight = file.find_tensor("token_embd.weight");
  REQUIRE(weight != nullptr);
  CHECK(weight->shape == std::vector<Index>{3, 64});
  CHECK(weight->storage() == Storage::q4_1);
  REQUIRE(weight->bytes.size() == 120);
  CHECK(static_cast<int>(weight->bytes[119]) == 119);
  GgufTensor const* const norm = file.find_tensor("output_norm.weight");
  REQUIRE(norm != nullptr);
  float last = 0;
  std::memcpy(&last, norm->bytes.data() + 16, 4);
  CHECK(last == 4.0f);
  CHECK(file.find_tensor("output.weight") == nullptr);
  CHECK(file.alignment() == 32);
}

TEST_CASE("gguf: a type that graft does not decode is an error when its storage is asked for") {
  test::TemporaryDirectory const folder;
  GgufFile const file = open(folder, sample().bytes);
  GgufTensor const* const odd = file.find_tensor("odd");
  REQUIRE(odd != nullptr);
  CHECK(odd->type.name == "IQ1_S");
  CHECK(odd->type.id == 19);
  CHECK(odd->bytes.size() == 100);
  CHECK(message_of([&] { (void)odd->storage(); }) == "[gguf] tensor odd has type IQ1_S, which graft does not decode");
}

TEST_CASE("gguf: keys lists everything on one line each") {
  test::TemporaryDirectory const folder;
  auto const keys = open(folder, sample().bytes).keys();
  REQUIRE(keys.size() == 20);
  CHECK(keys[0].key == "general.architecture");
  CHECK(keys[0].summary == "\"llama\"");
  CHECK(keys[5].type == "u32");
  CHECK(keys[5].summary == "4000000000");
  CHECK(keys[7].summary == "1e-05");
  CHECK(keys[8].summary == "true");
  CHECK(keys[9].summary == "\"two\\x0alines \xc3\xa9 \\xff\"");
  CHECK(keys[10].summary == "18446744073709551615");
  CHECK(keys[13].type == "array of string");
  CHECK(keys[13].summary == "[\"a\", \"\", \"ccc\", \"d\", …] (5 elements)");
  CHECK(keys[15].summary == "[1, -2, 3]");
  CHECK(keys[16].summary == "[false, true]");
  CHECK(keys[17].summary == "[]");
}

TEST_CASE("gguf: copies share the mapping and outlive the original") {
  test::TemporaryDirectory const folder;
  std::optional<GgufFile> original(open(folder, sample().bytes));
  GgufFile const copy = *original;
  original.reset();
  CHECK(copy.get<std::string>("general.architecture") == "llama");
  CHECK(static_cast<int>(copy.find_tensor("token_embd.weight")->bytes[7]) == 7);
}

TEST_CASE("gguf: a file without tensors may end with its keys") {
  test::TemporaryDirectory const folder;
  GgufFile const file = open(folder, GgufBytes().header(0, 1).u32_key("a", 1).bytes);
  CHECK(file.tensors().empty());
  CHECK(open(folder, GgufBytes().header(0, 0).bytes).keys().empty());
}

TEST_CASE("gguf: general.alignment places the tensors") {
  test::TemporaryDirectory const folder;
  for (std::uint32_t const alignment : {1u, 8u, 256u}) {
    CAPTURE(alignment);
    GgufBytes bytes;
    std::uint64_t const second = (12 + alignment - 1) / alignment * alignment;
    bytes.header(2, 1).u32_key("general.alignment", alignment).tensor("a", {3}, 0, 0).tensor("b", {1}, 0, second);
    bytes.align(alignment).number(1.0f).number(2.0f).number(3.0f).align(alignment).number(4.0f);
    GgufFile const file = open(folder, bytes.bytes);
    float value = 0;
    std::memcpy(&value, file.find_tensor("b")->bytes.data(), 4);
    CHECK(value == 4.0f);
  }
}

TEST_CASE("gguf: truncation at every byte is an error that says so, never a crash") {
  test::TemporaryDirectory const folder;
  std::string const whole = sample().bytes;
  (void)open(folder, whole);
  Index wrong = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string const message = message_of([&] { (void)open(folder, whole.substr(0, size)); });
    bool const told = message.find("truncated") != std::string::npos || message.find("bytes follow") != std::string::npos ||
                      message.find("cannot have") != std::string::npos;
    if (!told || message.find("f.gguf") == std::string::npos) {
      ++wrong;
      MESSAGE("cut at ", size, ": ", message);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("gguf: a truncated file names the tensor it ends in") {
  test::TemporaryDirectory const folder;
  std::string const whole = sample().bytes;
  CHECK(message_of([&] { (void)open(folder, whole.substr(0, whole.size() - 1)); })
            .find("the file is truncated: tensor output_norm.weight ends at byte " + std::to_string(whole.size()) +
                  ", but the file has " + std::to_string(whole.size() - 1) + " bytes") != std::string::npos);
}

TEST_CASE("gguf: changing any single byte gives a file or an error, never a crash") {
  test::TemporaryDirectory const folder;
  std::string const whole = sample().bytes;
  Index opened = 0, refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (unsigned const flip : {0x01u, 0x80u, 0xffu}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ flip);
      std::string const message = message_of([&] {
        GgufFile const file = open(folder, changed);
        for (GgufKey const& key : file.keys()) CHECK(key.summary.size() < 1000);
        unsigned sum = 0;
        for (GgufTensor const& tensor : file.tensors())
          for (std::byte const byte : tensor.bytes) sum += static_cast<unsigned>(byte);
        CHECK(sum < 1000000);
      });
      ++(message == "no error" ? opened : refused);
      if (message != "no error") CHECK(message.starts_with("[gguf] "));
    }
  CHECK(opened > 0);
  CHECK(refused > 0);
}

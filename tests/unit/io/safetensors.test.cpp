// SPDX-License-Identifier: Apache-2.0
#include <graft/io/safetensors.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/safetensors_bytes.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace graft;
using test::message_of;
using test::safetensors_bytes;

namespace {

SafetensorsFile open(test::TemporaryDirectory const& folder, std::string const& bytes) {
  test::write_file(folder / "f.safetensors", bytes);
  return SafetensorsFile(folder / "f.safetensors");
}

std::string number(std::uint64_t value) { return {reinterpret_cast<char const*>(&value), 8}; }

/// A header with one tensor "w", F32 of two elements, whose parts a case can spoil.
std::string entry(std::string const& dtype = "\"F32\"", std::string const& shape = "[2]", std::string const& offsets = "[0,8]") {
  return "{\"w\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
}

struct Case {
  std::string what;
  std::string says;
  std::string bytes;
};

std::string const good = entry();
std::string const two = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":)";

std::vector<Case> const cases = {
    {"empty file", "must begin with the 8-byte length of its header: it has 0 bytes", ""},
    {"seven bytes", "it has 7 bytes", std::string(7, '\0')},
    {"length beyond the file", "the file is truncated: its header of 100 bytes ends behind the 10 bytes", number(100) + "{}"},
    {"length of 100,000,001", "must have at most 100000000 bytes: its length is given as 100000001", number(100000001) + "{}"},
    {"length of 2^64-1", "given as 18446744073709551615", number(~std::uint64_t{0}) + "{}"},
    {"length of 2^64-8, which wraps", "given as 18446744073709551608", number(~std::uint64_t{7}) + "{}"},
    {"no header", "the header must begin with {: it begins with \"\"", number(0)},
    {"leading blank", "the header must begin with {: it begins with \" {}\"", safetensors_bytes(" {}")},
    {"byte order mark", "the header must begin with {", safetensors_bytes("\xef\xbb\xbf{}")},
    {"array", "the header must begin with {: it begins with \"[]\"", safetensors_bytes("[]")},
    {"GGUF file", "given as", "GGUF\3" + std::string(19, '\0')},
    {"zip, that is pickle", "given as", "PK\3\4abcdefghijklmnop"},
    {"not JSON", "header: this is not valid JSON", safetensors_bytes("{w}")},
    {"JSON cut", "header: this is not valid JSON", safetensors_bytes("{\"w\":")},
    {"text after the JSON", "header: this is not valid JSON", safetensors_bytes("{}x")},
    {"zero bytes after the JSON", "header: this is not valid JSON", safetensors_bytes(std::string("{}\0\0", 4))},
    {"not UTF-8", "header: this is not valid JSON", safetensors_bytes("{\"\xff\":1}")},
    {"number out of range", "header: this is not valid JSON", safetensors_bytes("{\"w\":1e999}")},
    {"deep nesting", "nested deeper than 64 levels", safetensors_bytes("{\"w\":" + std::string(100000, '['))},
    {"same tensor twice", "the key \"w\" occurs twice",
     safetensors_bytes(good.substr(0, good.size() - 1) + "," + good.substr(1), 8)},
    {"same field twice", "the key \"dtype\" occurs twice",
     safetensors_bytes(R"({"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8)},
    {"metadata no object", "__metadata__ must be an object of strings: got [1]", safetensors_bytes("{\"__metadata__\":[1]}")},
    {"metadata with a number", "__metadata__ must hold strings only: n is 1", safetensors_bytes("{\"__metadata__\":{\"n\":1}}")},
    {"entry is a number", "tensor w must be an object of dtype, shape and data_offsets: got 1", safetensors_bytes("{\"w\":1}")},
    {"entry is null", "tensor w must be an object", safetensors_bytes("{\"w\":null}")},
    {"no dtype", "tensor w: dtype is missing", safetensors_bytes(R"({"w":{"shape":[2],"data_offsets":[0,8]}})", 8)},
    {"no shape", "tensor w: shape is missing", safetensors_bytes(R"({"w":{"dtype":"F32","data_offsets":[0,8]}})", 8)},
    {"no offsets", "tensor w: data_offsets is missing", safetensors_bytes(R"({"w":{"dtype":"F32","shape":[2]}})", 8)},
    {"dtype a number", "tensor w: dtype must be a string: got 32", safetensors_bytes(entry("32"), 8)},
    {"unknown dtype", "tensor w has the unknown dtype \"F33\"", safetensors_bytes(entry("\"F33\""), 8)},
    {"lower-case dtype", "tensor w has the unknown dtype \"f32\"", safetensors_bytes(entry("\"f32\""), 8)},
    {"shape a number", "tensor w: shape must be an array: got 2", safetensors_bytes(entry("\"F32\"", "2"), 8)},
    {"negative dimension", "a dimension must be an integer of at least 0: got -2", safetensors_bytes(entry("\"F32\"", "[-2]"), 8)},
    {"fractional dimension", "a dimension must be an integer of at least 0: got 2.0", safetensors_bytes(entry("\"F32\"", "[2.0]"), 8)},
    {"dimension a string", "a dimension must be an integer", safetensors_bytes(entry("\"F32\"", "[\"2\"]"), 8)},
    {"dimension of 2^63", "a dimension is too large: 9223372036854775808", safetensors_bytes(entry("\"F32\"", "[9223372036854775808]"), 8)},
    {"dimension of 2^64", "a dimension must be an integer", safetensors_bytes(entry("\"F32\"", "[18446744073709551616]"), 8)},
    {"elements overflow", "tensor w is too large: shape [4294967296,4294967296]",
     safetensors_bytes(entry("\"F32\"", "[4294967296,4294967296]"), 8)},
    {"bits overflow", "tensor w is too large", safetensors_bytes(entry("\"F32\"", "[1152921504606846976]"), 8)},
    {"overflow before a zero", "tensor w is too large", safetensors_bytes(entry("\"U8\"", "[4294967296,4294967296,0]", "[0,0]"))},
    {"half a byte", "tensor w of dtype F4 and shape [3] does not fill whole bytes", safetensors_bytes(entry("\"F4\"", "[3]", "[0,2]"), 2)},
    {"offsets a number", "data_offsets must be [begin, end]: got 8", safetensors_bytes(entry("\"F32\"", "[2]", "8"), 8)},
    {"one offset", "data_offsets must be [begin, end]: got [8]", safetensors_bytes(entry("\"F32\"", "[2]", "[8]"), 8)},
    {"three offsets", "data_offsets must be [begin, end]", safetensors_bytes(entry("\"F32\"", "[2]", "[0,8,16]"), 8)},
    {"negative offset", "an offset must be an integer of at least 0: got -8", safetensors_bytes(entry("\"F32\"", "[2]", "[-8,0]"), 8)},
    {"fractional offset", "an offset must be an integer", safetensors_bytes(entry("\"F32\"", "[2]", "[0,8.5]"), 8)},
    {"offsets backwards", "data_offsets must not run backwards: got [8,0]", safetensors_bytes(entry("\"F32\"", "[2]", "[8,0]"), 8)},
    {"too few bytes for the shape", "needs 8 bytes, but data_offsets [0,4] give 4", safetensors_bytes(entry("\"F32\"", "[2]", "[0,4]"), 4)},
    {"too many bytes for the shape", "needs 8 bytes, but data_offsets [0,12] give 12",
     safetensors_bytes(entry("\"F32\"", "[2]", "[0,12]"), 12)},
    {"offsets near 2^64", "needs 8 bytes, but data_offsets", safetensors_bytes(entry("\"F32\"", "[2]", "[0,18446744073709551608]"), 8)},
    {"hole at the beginning", "bytes 0 to 8 of the data, before tensor w, belong to no tensor",
     safetensors_bytes(entry("\"F32\"", "[2]", "[8,16]"), 16)},
    {"hole between", "bytes 4 to 8 of the data, before tensor b, belong to no tensor", safetensors_bytes(two + "[8,12]}}", 12)},
    {"overlap", "tensor b begins at 0 of the data and overlaps the one before, which ends at 4", safetensors_bytes(two + "[0,4]}}", 4)},
    {"overlap by two bytes", "tensor b begins at 2 of the data and overlaps", safetensors_bytes(two + "[2,6]}}", 6)},
    {"data missing", "the file is truncated: tensor w ends at byte 8 of the data, but there are 0", safetensors_bytes(good)},
    {"data one byte short", "tensor w ends at byte 8 of the data, but there are 7", safetensors_bytes(good, 7)},
    {"second tensor missing", "tensor b ends at byte 8 of the data, but there are 4", safetensors_bytes(two + "[4,8]}}", 4)},
    {"bytes left over", "1 bytes after the last tensor belong to no tensor", safetensors_bytes(good, 9)},
    {"bytes without tensors", "3 bytes after the last tensor belong to no tensor", safetensors_bytes("{}", 3)},
    {"line break in a name", "tensor a\\x0ab has the unknown dtype",
     safetensors_bytes(R"({"a\nb":{"dtype":"X","shape":[],"data_offsets":[0,0]}})")},
};

}  // namespace

TEST_CASE("safetensors: reads names, dtypes, shapes, bytes and metadata") {
  test::TemporaryDirectory const folder;
  std::string bytes = safetensors_bytes(
      R"({"__metadata__":{"format":"pt","by":"é"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"none":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]}}   )",
      16);
  bytes.back() = 77;
  SafetensorsFile const file = open(folder, bytes);
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.metadata().at("by") == "é");
  TensorInfo const* const b = file.find("b");
  REQUIRE(b != nullptr);
  CHECK(b->dtype == "BF16");
  CHECK(b->shape == std::vector<Index>{2, 3});
  REQUIRE(b->bytes.size() == 12);
  CHECK(static_cast<int>(b->bytes[11]) == 77);
  CHECK(file.find("scalar")->shape.empty());
  CHECK(file.find("scalar")->bytes.size() == 4);
  CHECK(file.find("none")->bytes.empty());
  CHECK(file.find("c") == nullptr);
}

TEST_CASE("safetensors: what the reference reader accepts is accepted") {
  test::TemporaryDirectory const folder;
  CHECK(open(folder, safetensors_bytes("{}")).tensors().empty());
  CHECK(open(folder, safetensors_bytes("{} \n\t\r")).tensors().empty());
  CHECK(open(folder, safetensors_bytes("{\"__metadata__\":null}")).metadata().empty());
  CHECK(open(folder, safetensors_bytes("{\"__metadata__\":{}}")).tensors().empty());
  CHECK(open(folder, safetensors_bytes(entry("\"F4\"", "[16]", "[0,8]"), 8)).tensors().size() == 1);
  CHECK(open(folder, safetensors_bytes(entry("\"F6_E2M3\"", "[4]", "[0,3]"), 3)).tensors().size() == 1);
  CHECK(open(folder, safetensors_bytes(entry("\"U8\"", "[1,1,1,1,1,1,8]"), 8)).find("w")->shape.size() == 7);
  CHECK(open(folder, safetensors_bytes(entry("\"U8\"", "[0,9223372036854775807,9223372036854775807]", "[0,0]"))).tensors().size() == 1);
}

TEST_CASE("safetensors: every malformed file gets its own sentence") {
  test::TemporaryDirectory const folder;
  CHECK(cases.size() >= 40);
  for (Case const& one : cases) {
    CAPTURE(one.what);
    std::string const message = message_of([&] { (void)open(folder, one.bytes); });
    CAPTURE(message);
    CHECK(message.starts_with("[safetensors] " + (folder / "f.safetensors").string() + ": "));
    CHECK(message.find(one.says) != std::string::npos);
  }
  CHECK(open(folder, safetensors_bytes(good, 8)).tensors().size() == 1);
}

TEST_CASE("safetensors: truncation at every byte is an error that says so, never a crash") {
  test::TemporaryDirectory const folder;
  std::string const whole = safetensors_bytes(two + "[4,8]}}", 8);
  CHECK(open(folder, whole).tensors().size() == 2);
  Index wrong = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string const message = message_of([&] { (void)open(folder, whole.substr(0, size)); });
    bool const told = message.find("truncated") != std::string::npos || message.find("8-byte length") != std::string::npos;
    if (!told) {
      ++wrong;
      MESSAGE("cut at ", size, ": ", message);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("safetensors: changing any single byte gives a file or an error, never a crash") {
  test::TemporaryDirectory const folder;
  std::string const whole = safetensors_bytes(two + "[4,8]}}", 8);
  Index opened = 0, refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (unsigned const flip : {0x01u, 0x10u, 0x80u, 0xffu}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ flip);
      std::string const message = message_of([&] { (void)open(folder, changed); });
      ++(message == "no error" ? opened : refused);
      if (message != "no error") CHECK(message.starts_with("[safetensors] "));
    }
  CHECK(opened > 0);
  CHECK(refused > 0);
}

TEST_CASE("safetensors: dtypes and storages are each other's names") {
  CHECK(storage_of_dtype("BF16") == Storage::bf16);
  CHECK(storage_of_dtype("F64") == Storage::f64);
  CHECK(!storage_of_dtype("I64").has_value());
  CHECK(!storage_of_dtype("nonsense").has_value());
  for (Storage const storage : {Storage::f64, Storage::f32, Storage::f16, Storage::bf16})
    CHECK(storage_of_dtype(dtype_of_storage(storage)) == storage);
  CHECK(message_of([] { (void)dtype_of_storage(Storage::q4_k); }) == "[safetensors] the format has no dtype for q4_k");
}

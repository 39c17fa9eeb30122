// SPDX-License-Identifier: Apache-2.0
#include <graft/io/safetensors_writer.hpp>

#include <graft/io/safetensors.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

using namespace graft;
using test::message_of;

namespace {
std::span<std::byte const> bytes_of(std::vector<float> const& values) { return std::as_bytes(std::span(values)); }
}  // namespace

TEST_CASE("write_safetensors: the reader gives back every tensor, aligned, and the metadata") {
  test::TemporaryDirectory const folder;
  std::vector<float> const x{1, 2, 3, 4, 5, 6};
  std::vector<std::byte> const odd(3, std::byte{7}), wide(8, std::byte{1});
  std::vector<TensorToWrite> const tensors{
      {.name = "bytes", .dtype = "U8", .shape = {3}, .bytes = odd},
      {.name = "z.weight", .dtype = "F32", .shape = {2, 3}, .bytes = bytes_of(x)},
      {.name = "a.weight", .dtype = "F32", .shape = {2}, .write = [&](AtomicFile& file) { file.write(bytes_of(x).first(8)); }},
      {.name = "step", .dtype = "I64", .shape = {}, .bytes = wide},
      {.name = "none", .dtype = "F32", .shape = {0, 4}},
      {.name = "q\"uote\n\xc3\xa9", .dtype = "BF16", .shape = {1}, .bytes = std::span(odd).first(2)},
  };
  write_safetensors(folder / "m.safetensors", tensors, {{"made_by", "graft"}});
  SafetensorsFile const file(folder / "m.safetensors");
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.metadata().at("made_by") == "graft");
  REQUIRE(file.tensors().size() == tensors.size());
  for (TensorToWrite const& tensor : tensors) {
    CAPTURE(tensor.name);
    TensorInfo const* const found = file.find(tensor.name);
    REQUIRE(found != nullptr);
    CHECK(found->dtype == tensor.dtype);
    CHECK(found->shape == tensor.shape);
    if (!tensor.write) CHECK(std::ranges::equal(found->bytes, tensor.bytes));
    Index const offset = found->bytes.data() - file.mapping().bytes().data();
    Index const element = detail::find_dtype(tensor.dtype)->bits / 8;
    CHECK(offset % element == 0);
  }
  CHECK(std::ranges::equal(file.find("a.weight")->bytes, bytes_of(x).first(8)));
  CHECK(file.tensors()[0].name == "step");  // the widest elements first, then by name
  CHECK(file.tensors()[1].name == "a.weight");
  CHECK(file.tensors().back().name == "bytes");
}

TEST_CASE("write_safetensors: the header is a multiple of 8 bytes and begins with the metadata") {
  test::TemporaryDirectory const folder;
  for (std::size_t length = 1; length <= 8; ++length) {
    std::vector<float> const x{1};
    std::vector<TensorToWrite> const tensors{{.name = std::string(length, 'n'), .dtype = "F32", .shape = {1}, .bytes = bytes_of(x)}};
    write_safetensors(folder / "m", tensors);
    std::string const content = test::read_file(folder / "m");
    std::uint64_t header = 0;
    std::memcpy(&header, content.data(), 8);
    CHECK(header % 8 == 0);
    CHECK(content.substr(8).starts_with("{\"__metadata__\":{\"format\":\"pt\"},\"n"));
  }
}

TEST_CASE("write_safetensors: no tensors are a file too, and another format keeps its name") {
  test::TemporaryDirectory const folder;
  write_safetensors(folder / "m", {}, {{"format", "graft"}});
  SafetensorsFile const file(folder / "m");
  CHECK(file.tensors().empty());
  CHECK(file.metadata().at("format") == "graft");
}

TEST_CASE("write_safetensors: what no reader would take is refused, and the old file stays") {
  test::TemporaryDirectory const folder;
  std::vector<float> const x{1, 2};
  TensorToWrite const good{.name = "w", .dtype = "F32", .shape = {2}, .bytes = bytes_of(x)};
  test::write_file(folder / "m", "old");
  auto const refusal = [&](std::vector<TensorToWrite> const& tensors) {
    std::string const message = message_of([&] { write_safetensors(folder / "m", tensors); });
    CHECK(test::read_file(folder / "m") == "old");
    return message;
  };
  auto const with = [&](auto change) {
    TensorToWrite tensor = good;
    change(tensor);
    return refusal({tensor});
  };
  CHECK(refusal({good, good}).find("the tensor w occurs twice") != std::string::npos);
  CHECK(with([](auto& t) { t.name = "__metadata__"; }).find("cannot be called __metadata__") != std::string::npos);
  CHECK(with([](auto& t) { t.name = "\xff"; }).find("must be UTF-8") != std::string::npos);
  CHECK(with([](auto& t) { t.dtype = "f32"; }).find("tensor w has the unknown dtype \"f32\"") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {3}; }).find("tensor w of dtype F32 needs 12 bytes: got 8") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {-2}; }).find("must not be negative: got -2") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {Index{1} << 40, Index{1} << 40}; }).find("too large") != std::string::npos);
  CHECK(with([](auto& t) { t.dtype = "F4", t.shape = {3}; }).find("whole bytes") != std::string::npos);
  CHECK(with([](auto& t) { t.write = [](AtomicFile& file) { file.write("abc"); }; }).find("needs 8 bytes: its writer gave 3") !=
        std::string::npos);
}

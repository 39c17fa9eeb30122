// SPDX-License-Identifier: Apache-2.0
#include <graft/io/gguf_writer.hpp>

#include <graft/io/gguf.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace graft;
using test::message_of;

namespace {
std::span<std::byte const> bytes_of(std::vector<float> const& values) { return std::as_bytes(std::span(values)); }
}  // namespace

TEST_CASE("write_gguf: the reader gives back every value and tensor") {
  test::TemporaryDirectory const folder;
  std::vector<float> const embedding{1, 2, 3, 4, 5, 6}, norm{7, 8};
  std::vector<std::byte> const blocks(36, std::byte{9});
  GgufMetadata const metadata{
      {"general.architecture", std::string("llama")},
      {"b", true},
      {"u32", std::uint32_t{7}},
      {"i32", std::int32_t{-7}},
      {"u64", std::uint64_t{1} << 40},
      {"i64", -(std::int64_t{1} << 40)},
      {"f32", 0.5f},
      {"f64", 0.1},
      {"strings", std::vector<std::string>{"x", "", "yy"}},
      {"floats", std::vector<float>{1.5f}},
      {"ints", std::vector<std::int32_t>{1, -1}},
      {"empty", std::vector<std::uint32_t>{}},
  };
  std::vector<GgufTensorToWrite> const tensors{
      {.name = "token_embd.weight", .storage = Storage::f32, .shape = {3, 2}, .bytes = bytes_of(embedding)},
      {.name = "q", .storage = Storage::q4_0, .shape = {2, 32}, .bytes = blocks},
      {.name = "streamed", .shape = {2}, .write = [&](AtomicFile& file) { for (float const& x : norm) file.write(std::as_bytes(std::span(&x, 1))); }},
  };
  write_gguf(folder / "m.gguf", metadata, tensors);
  GgufFile const file(folder / "m.gguf");
  CHECK(file.version() == 3);
  CHECK(file.architecture() == "llama");
  CHECK(file.get<bool>("b"));
  CHECK(file.get<std::int64_t>("u32") == 7);
  CHECK(file.get<std::int64_t>("i32") == -7);
  CHECK(file.get<std::int64_t>("u64") == std::int64_t{1} << 40);
  CHECK(file.get<std::int64_t>("i64") == -(std::int64_t{1} << 40));
  CHECK(file.get<double>("f32") == 0.5);
  CHECK(file.get<double>("f64") == 0.1);
  CHECK(file.get<std::vector<std::string>>("strings") == std::vector<std::string>{"x", "", "yy"});
  CHECK(file.get<std::vector<double>>("floats") == std::vector<double>{1.5});
  CHECK(file.get<std::vector<std::int64_t>>("ints") == std::vector<std::int64_t>{1, -1});
  CHECK(file.get<std::vector<std::int64_t>>("empty").empty());
  CHECK(file.find_tensor("token_embd.weight")->shape == std::vector<Index>{3, 2});
  CHECK(std::ranges::equal(file.find_tensor("token_embd.weight")->bytes, bytes_of(embedding)));
  CHECK(file.find_tensor("q")->storage() == Storage::q4_0);
  CHECK(std::ranges::equal(file.find_tensor("q")->bytes, blocks));
  CHECK(std::ranges::equal(file.find_tensor("streamed")->bytes, bytes_of(norm)));
}

TEST_CASE("write_gguf: general.alignment is honoured") {
  test::TemporaryDirectory const folder;
  std::vector<float> const values{1, 2, 3};
  std::vector<GgufTensorToWrite> const tensors{{.name = "a", .shape = {3}, .bytes = bytes_of(values)},
                                               {.name = "b", .shape = {3}, .bytes = bytes_of(values)}};
  write_gguf(folder / "m.gguf", {{"general.alignment", std::uint32_t{128}}}, tensors);
  GgufFile const file(folder / "m.gguf");
  CHECK(file.alignment() == 128);
  auto const distance = file.find_tensor("b")->bytes.data() - file.mapping().bytes().data();
  CHECK(distance % 128 == 0);
  CHECK(std::filesystem::file_size(folder / "m.gguf") % 128 == 0);
}

TEST_CASE("write_gguf: what no reader would take is refused, and no file appears") {
  test::TemporaryDirectory const folder;
  std::vector<float> const values{1, 2, 3, 4};
  auto const refusal = [&](GgufMetadata const& metadata, std::vector<GgufTensorToWrite> const& tensors) {
    std::string const message = message_of([&] { write_gguf(folder / "m.gguf", metadata, tensors); });
    CHECK(std::filesystem::is_empty(folder.path()));
    return message;
  };
  GgufTensorToWrite const good{.name = "a", .shape = {4}, .bytes = bytes_of(values)};
  auto const with = [&](auto change) {
    GgufTensorToWrite tensor = good;
    change(tensor);
    return refusal({}, {tensor});
  };
  CHECK(refusal({{"k", true}, {"k", false}}, {}).find("the key k occurs twice") != std::string::npos);
  CHECK(refusal({{"", true}}, {}).find("a key must have 1..65535 bytes") != std::string::npos);
  CHECK(refusal({{"general.alignment", std::uint32_t{3}}}, {}).find("power of two") != std::string::npos);
  CHECK(refusal({{"general.alignment", 32.0}}, {}).find("power of two") != std::string::npos);
  CHECK(refusal({}, {good, good}).find("the tensor a occurs twice") != std::string::npos);
  CHECK(with([](auto& t) { t.name = ""; }).find("1..63 bytes") != std::string::npos);
  CHECK(with([](auto& t) { t.name.assign(64, 'n'); }).find("1..63 bytes") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {}; }).find("1..4 dimensions: got 0") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {1, 1, 1, 1, 4}; }).find("1..4 dimensions: got 5") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {-4}; }).find("must be positive: got -4") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {Index{1} << 40, Index{1} << 40}; }).find("too large") != std::string::npos);
  CHECK(with([](auto& t) { t.shape = {3}; }).find("tensor a of type f32 needs 12 bytes: got 16") != std::string::npos);
  CHECK(with([](auto& t) { t.storage = Storage::q8_0; }).find("multiple of 32 columns: got 4") != std::string::npos);
  CHECK(with([](auto& t) { t.write = [](AtomicFile& file) { file.write("abc"); }; }).find("needs 16 bytes: its writer gave 3") !=
        std::string::npos);
}

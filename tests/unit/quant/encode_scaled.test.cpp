// SPDX-License-Identifier: Apache-2.0
#include <graft/quant/encode_scaled.hpp>

#include <graft/quant/decode.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/tensor_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

TensorFile const& golden() {
  static TensorFile const file(fixtures / "bitsandbytes" / "tensors.safetensors");
  return file;
}

std::vector<float> floats(TensorFile const& file, std::string const& name) {
  auto const& entry = file.tensors.at(name);
  Index size = 1;
  for (Index const n : entry.shape) size *= n;
  std::vector<float> values(static_cast<std::size_t>(size));
  decode_row(*storage_of_dtype(entry.dtype), entry.bytes.data(), size, values.data());
  return values;
}

std::vector<std::byte> bytes_of(std::byte const* data, Index size) { return {data, data + size}; }

template <class T = float>
std::vector<T> decoded(StoredMatrix const& matrix) {
  std::vector<T> out(static_cast<std::size_t>(matrix.size()));
  decode_rows(matrix, 0, matrix.rows, MatrixView<T>(out.data(), matrix.rows, matrix.cols));
  return out;
}

struct Case {
  std::string name;
  FourBit format;
};
Case const cases[] = {{"nf4", {Storage::nf4, 64, true}},
                      {"nf4_plain", {Storage::nf4, 32, false}},
                      {"fp4", {Storage::fp4, 64, true}},
                      {"many_blocks", {Storage::nf4, 32, true}}};

HostTensor encoded(Case const& one) { return encode_4bit(one.format, floats(golden(), one.name + ".values"), golden().tensors.at(one.name + ".values").shape); }

}  // namespace

TEST_CASE("encode_4bit: the bytes of bitsandbytes, elements and scales") {
  for (Case const& one : cases) {
    CAPTURE(one.name);
    HostTensor const tensor = encoded(one);
    BlockScales const& scales = *tensor.scales;
    Index const size = tensor.rows() * tensor.cols();
    auto const& file = golden().tensors;
    CHECK(bytes_of(tensor.data, tensor.matrix().bytes()) == file.at(one.name + ".weight").bytes);
    CHECK(scales.nested() == one.format.double_quant);
    if (scales.nested()) {
      CHECK(bytes_of(scales.codes, scales.blocks(size)) == file.at(one.name + ".weight.absmax").bytes);
      CHECK(bytes_of(scales.absmax, 4 * scales.absmax_count(size)) == file.at(one.name + ".weight.nested_absmax").bytes);
      std::vector<float> const map = floats(golden(), one.name + ".weight.nested_quant_map");
      CHECK(std::equal(map.begin(), map.end(), scales.map.begin()));
    } else {
      CHECK(bytes_of(scales.absmax, 4 * scales.absmax_count(size)) == file.at(one.name + ".weight.absmax").bytes);
    }
  }
}

TEST_CASE("decode: nf4, fp4 and int8 give bitsandbytes' floats to the bit; double the same, bf16 rounded") {
  for (Case const& one : cases) {
    CAPTURE(one.name);
    HostTensor const tensor = encoded(one);
    auto const expected = floats(golden(), one.name + ".decoded");
    CHECK(decoded(tensor.matrix()) == expected);
    CHECK(decoded<double>(tensor.matrix()) == std::vector<double>(expected.begin(), expected.end()));
    auto const narrow = decoded<bf16>(tensor.matrix());
    CHECK(std::equal(narrow.begin(), narrow.end(), expected.begin(), [](bf16 a, float b) { return a == to_bf16(b); }));
  }
  auto const values = floats(golden(), "int8.values");
  HostTensor const int8 = encode_int8(values, {5, 33});
  CHECK(bytes_of(int8.data, 165) == golden().tensors.at("int8.weight").bytes);
  CHECK(bytes_of(int8.scales->absmax, 20) == golden().tensors.at("int8.SCB").bytes);
  CHECK(decoded(int8.matrix()) == floats(golden(), "int8.decoded"));
}

TEST_CASE("decode: any panel of rows alone gives the rows of the whole, though blocks run from row to row") {
  for (Case const& one : cases) {
    CAPTURE(one.name);
    HostTensor const tensor = encoded(one);
    auto const whole = decoded(tensor.matrix());
    for (Index const begin : {Index{0}, Index{1}, tensor.rows() - 2}) {
      StoredMatrix const panel = tensor.matrix().rows_between(begin, begin + 2).rows_between(1, 2);
      auto const row = decoded(panel);
      CHECK(std::equal(row.begin(), row.end(), whole.begin() + (begin + 1) * tensor.cols()));
    }
  }
}

TEST_CASE("decode: nf4 and fp4 are level times scale, wherever rows cut the blocks and however small the scales are") {
  for (Storage const storage : {Storage::nf4, Storage::fp4})
    for (Index const cols : {2, 14, 16, 30, 34, 62, 66, 98, 130, 398})
      for (float const magnitude : {1.0f, 3e-38f}) {  // times a level: subnormal floats
        CAPTURE(name(storage));
        CAPTURE(cols);
        Index const rows = 7;
        std::vector<float> values(static_cast<std::size_t>(rows * cols));
        std::uint32_t random = 1;
        for (float& value : values) value = magnitude * static_cast<float>(static_cast<std::int32_t>(random = random * 1664525 + 1013904223)) * 0x1p-31f;
        HostTensor const tensor = encode_4bit({storage, 32, false}, values, {rows, cols});
        auto const wide = decoded(tensor.matrix());
        auto const narrow = decoded<bf16>(tensor.matrix());
        Index different = 0;
        for (Index i = 0; i < rows * cols; ++i) {
          auto const byte = static_cast<unsigned>(tensor.data[i / 2]);
          float const expected = detail::levels_of(storage)[i % 2 == 0 ? byte >> 4 : byte & 15] * tensor.scales->scale(i / 32);
          auto const at = static_cast<std::size_t>(i);
          different += wide[at] == expected && narrow[at] == to_bf16(expected) ? 0 : 1;
        }
        CHECK(different == 0);
      }
}

TEST_CASE("maps and means: those of create_dynamic_map and torch.mean, to the bit") {
  TensorFile const maps(fixtures / "bitsandbytes" / "maps.safetensors");
  auto const equal = [&](char const* name, DynamicMap const& map) {
    auto const expected = floats(maps, name);
    return std::equal(expected.begin(), expected.end(), map.values().begin());
  };
  CHECK(equal("signed", DynamicMap::with_sign()));
  CHECK(equal("unsigned", DynamicMap::without_sign()));
  auto const numbers = floats(maps, "numbers"), means = floats(maps, "means");
  auto const& counts = maps.tensors.at("counts").bytes;
  for (std::size_t i = 0; i < means.size(); ++i) {
    std::int64_t n;
    std::memcpy(&n, counts.data() + 8 * i, 8);
    CAPTURE(n);
    CHECK(detail::torch_mean(std::span(numbers).first(static_cast<std::size_t>(n))) == means[i]);
  }
  CHECK(DynamicMap::with_sign().code(std::numeric_limits<float>::quiet_NaN()) == 0);
}

TEST_CASE("encode_4bit, encode_int8: memory, zeros, and what is refused") {
  std::vector<float> x(64 * 1024, 0.5f);
  HostTensor const nf4 = encode_4bit({}, x, {64, 1024});
  CHECK(8.0 * static_cast<double>(nf4.bytes()) / (64 * 1024) <= 4.27);  // 4.127 and the map's 1 KiB
  HostTensor const zeros = encode_int8(std::vector<float>(6), {2, 3});
  CHECK(decoded(zeros.matrix()) == std::vector<float>(6));
  CHECK(message_of([&] { (void)encode_4bit({.block = 48}, x, {64, 1024}); }) ==
        "[quant] a block of nf4 or fp4 must have 32, 64, 128, … or 4096 elements: got 48");
  CHECK(message_of([&] { (void)encode_4bit({}, std::vector<float>(9), {3, 3}); }) == "[quant] a row of nf4 must have a multiple of 2 columns: got 3");
  CHECK(message_of([&] { (void)encode_4bit({.storage = Storage::q8_0}, x, {64, 1024}); }) == "[quant] encode_4bit writes nf4 and fp4: got q8_0");
  x[77] = std::numeric_limits<float>::infinity();
  CHECK(message_of([&] { (void)encode_4bit({}, x, {64, 1024}); }) == "[quant] a value that is not finite cannot be stored as nf4");
  CHECK(message_of([&] { (void)encode_int8(x, {64, 1024}); }) == "[quant] a value that is not finite cannot be stored as int8");
}

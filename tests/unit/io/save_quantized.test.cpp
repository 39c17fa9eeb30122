// SPDX-License-Identifier: Apache-2.0
#include <graft/io/save_quantized.hpp>

#include <graft/io/stored_model.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/tiny_tokenizer.hpp>

#include <memory>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

/// The tiny NF4 model of the fixtures, with a tokenizer.
struct Files {
  TemporaryDirectory folder;
  ModelFiles files;
  Files() {
    std::filesystem::copy(fixtures / "bitsandbytes" / "nf4", folder / "model");
    write_file(folder / "model/tokenizer.json", tiny_tokenizer_json);
    files = open_model(folder / "model");
  }
};

std::vector<float> decoded(HostTensor const& tensor) {
  std::vector<float> out(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  decode_rows(tensor.matrix(), 0, tensor.rows(), MatrixView<float>(out.data(), tensor.rows(), tensor.cols()));
  return out;
}

}  // namespace

TEST_CASE("save_quantized: an nf4 model quantised again has the same levels; dense and back gives the same weights") {
  Files const from;
  StoredModel const model(from.files);
  FourBit const plain{Storage::nf4, 64, false};
  auto const report = save_quantized(model, from.files, from.folder / "again", &plain, Storage::f32);
  CHECK(report.relative_error() < 1e-6);  // each block's largest level is its scale
  CHECK(report.quantized_weights == 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 48));
  CHECK(report.bits_per_weight() > 4.5);  // the scales as floats, and each tensor's own table of levels
  ModelFiles const again = open_model(from.folder / "again");
  CHECK(again.config == from.files.config);
  CHECK(again.weights->names() == from.files.weights->names());
  for (auto const& name : again.weights->names()) {
    CAPTURE(name);
    auto const a = decoded(again.weights->get(name)), b = decoded(from.files.weights->get(name));
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-6));
  }
  save_model(model, from.files, from.folder / "dense");
  ModelFiles const dense = open_model(from.folder / "dense");
  for (auto const& name : dense.weights->names()) CHECK(decoded(dense.weights->get(name)) == decoded(from.files.weights->get(name)));
}

TEST_CASE("save_quantized: int8 stays within half a step of each row, the embedding is left alone") {
  Files const from;
  auto const report = save_quantized(StoredModel(from.files), from.files, from.folder / "int8", nullptr, Storage::bf16);
  CHECK(report.relative_error() < 0.01);
  CHECK(report.relative_error() > 1e-4);
  CHECK(report.bits_per_weight() < 9.1);
  ModelFiles const int8 = open_model(from.folder / "int8");
  CHECK(int8.weights->get("model.layers.1.mlp.up_proj.weight").storage == Storage::int8);
  CHECK(int8.weights->get("model.embed_tokens.weight").storage == Storage::bf16);
  CHECK(int8.config.dtype == "bfloat16");
  CHECK(message_of([&] { (void)save_quantized(StoredModel(from.files), from.files, from.folder / "x", nullptr, Storage::q8_0); }) ==
        "[quantize] what is not quantised can be written as bf16, f16 or f32: got q8_0");
}

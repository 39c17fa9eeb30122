// SPDX-License-Identifier: Apache-2.0
#include <graft/io/bitsandbytes.hpp>

#include <graft/io/hf_config.hpp>
#include <graft/io/weight_source.hpp>
#include <graft/quant/decode.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/tensor_file.hpp>

#include <cstring>
#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

std::filesystem::path const folder = fixtures / "bitsandbytes";
std::string const q_proj = "model.layers.0.self_attn.q_proj.weight";

std::vector<float> decoded(HostTensor const& tensor) {
  std::vector<float> out(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  decode_rows(tensor.matrix(), 0, tensor.rows(), MatrixView<float>(out.data(), tensor.rows(), tensor.cols()));
  return out;
}

/// What reading `q_proj` says once `spoil` has changed the checkpoint.
template <class F>
std::string refusal(char const* format, F&& spoil) {
  TensorFile file(folder / format / "model.safetensors");
  spoil(file.tensors);
  TemporaryDirectory const temporary;
  file.write(temporary / "model.safetensors");
  std::string const message = message_of([&] { (void)SafetensorsWeights(temporary / "model.safetensors").get(q_proj); });
  auto const at = message.find(temporary.path().string());
  return at == std::string::npos ? message : message.substr(0, at) + message.substr(at + temporary.path().string().size() + 1);
}

}  // namespace

TEST_CASE("bitsandbytes: checkpoints of transformers read to the bit; a weight with its parts is one tensor") {
  for (char const* const format : {"nf4", "int8"}) {
    CAPTURE(std::string(format));
    SafetensorsWeights const weights(folder / format);
    TensorFile const expected(folder / format / "decoded.safetensors");
    CHECK(expected.tensors.size() == 14);
    for (auto const& [weight, entry] : expected.tensors) {
      HostTensor const tensor = weights.get(weight);
      CHECK(name(tensor.storage) == std::string_view(format));
      CHECK(tensor.shape == entry.shape);
      auto const values = decoded(tensor);
      CHECK(std::memcmp(values.data(), entry.bytes.data(), entry.bytes.size()) == 0);
    }
    CHECK(weights.names().size() == 14 + 1 + 5);  // linear modules, embedding, norms
    CHECK(weights.get("model.norm.weight").storage == Storage::f32);
    CHECK(read_hf_config(folder / format).hidden_size == 32);
  }
}

TEST_CASE("bitsandbytes: what is written holds the same tensors as what was read") {
  for (char const* const format : {"nf4", "int8"}) {
    CAPTURE(std::string(format));
    SafetensorsWeights const weights(folder / format);
    TemporaryDirectory const temporary;
    HostTensor const tensor = weights.get(q_proj);
    BitsAndBytesParts const parts(q_proj, tensor, "float32");
    std::vector<TensorToWrite> list;
    parts.append(list, [&](AtomicFile& file) { file.write({tensor.data, static_cast<std::size_t>(tensor.matrix().bytes())}); });
    write_safetensors(temporary / "model.safetensors", list);
    TensorFile const ours(temporary / "model.safetensors"), theirs(folder / format / "model.safetensors");
    Index total = 0;
    for (auto const& [name, entry] : ours.tensors) {
      total += static_cast<Index>(entry.bytes.size());
      if (name.find("quant_state") != std::string::npos || name.ends_with("weight_format")) continue;
      CHECK_MESSAGE(theirs.tensors.at(name) == entry, name);
    }
    CHECK(parts.bytes() == total);
    CHECK(ours.tensors.size() == (std::string(format) == "nf4" ? 6 : 3));
    CHECK(decoded(SafetensorsWeights(temporary / "model.safetensors").get(q_proj)) == decoded(tensor));
  }
}

TEST_CASE("bitsandbytes: parts that are missing or do not fit are refused with the name of the part") {
  CHECK(refusal("nf4", [](auto& t) { t.erase(q_proj + ".quant_map"); }) ==
        "[bitsandbytes] model.safetensors: the weight " + q_proj + " lacks its part " + q_proj + ".quant_map");
  CHECK(refusal("nf4", [](auto& t) {
          auto& absmax = t.at(q_proj + ".absmax");
          absmax.bytes.pop_back();
          absmax.shape = {15};
        }) == "[bitsandbytes] model.safetensors: " + q_proj + ".absmax must have 16 bytes: got 15");
  CHECK(refusal("nf4", [](auto& t) { t.at(q_proj + ".quant_map").bytes[3] = std::byte{0x3f}; }).find("has other levels than nf4's") !=
        std::string::npos);
  CHECK(refusal("nf4", [](auto& t) {
          t.at(q_proj).bytes.resize(500);
          t.at(q_proj).shape = {500, 1};
        }).find("does not fit the 500 bytes") != std::string::npos);
  CHECK(refusal("nf4", [](auto& t) { t.at(q_proj + ".quant_state.bitsandbytes__nf4").bytes[0] = std::byte{'x'}; })
            .find("this is not valid JSON") != std::string::npos);
  CHECK(refusal("int8", [](auto& t) {
          auto& scales = t.at("model.layers.0.self_attn.q_proj.SCB");
          scales.dtype = "BF16";
          scales.bytes.resize(64);
        }) == "[bitsandbytes] model.safetensors: model.layers.0.self_attn.q_proj.SCB must be F32: got BF16");
  CHECK(refusal("int8", [](auto& t) { t.erase("model.layers.0.self_attn.q_proj.SCB"); }).find("has dtype I8") != std::string::npos);
}

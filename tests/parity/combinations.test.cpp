// SPDX-License-Identifier: Apache-2.0
// Combined adapters against PEFT's add_weighted_adapter: fixtures by tests/parity/make_combinations.py.
#include <graft/io/combine_adapters.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace graft;

namespace {

std::filesystem::path const fixtures = GRAFT_FIXTURES_DIR;

std::vector<float> values(TensorInfo const* tensor) {
  REQUIRE(tensor != nullptr);
  auto const* const begin = reinterpret_cast<float const*>(tensor->bytes.data());
  return {begin, begin + tensor->bytes.size() / sizeof(float)};
}

double relative(std::vector<float> const& expected, std::vector<float> const& actual) {
  REQUIRE(expected.size() == actual.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(expected[i]) - static_cast<double>(actual[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

std::vector<float> product(LowRank const& factors) {
  std::vector<float> w;
  for (Index o = 0; o < factors.out; ++o)
    for (Index i = 0; i < factors.in; ++i) {
      double sum = 0;
      for (Index r = 0; r < factors.rank; ++r) sum += factors.b_at(o, r) * factors.a_at(r, i);
      w.push_back(static_cast<float>(sum));
    }
  return w;
}

}  // namespace

TEST_CASE("combination parity: PEFT's add_weighted_adapter, for modules that both and that one of the adapters have") {
  using enum Combination;
  struct Run {
    char const* name;
    CombineOptions options;
    double second = 0.4;
  };
  Run const runs[] = {{"linear", {}},
                      {"linear_negative", {}, -0.4},
                      {"cat", {.combination = cat}},
                      {"cat_negative", {.combination = cat}, -0.4},
                      {"svd", {.combination = svd}},
                      {"svd_rank_2", {.combination = svd, .svd_rank = 2}},
                      {"ties", {.combination = ties, .density = 0.5}},
                      {"ties_frequency", {.combination = ties, .density = 0.7, .sign_by_count = true}},
                      {"magnitude_prune", {.combination = magnitude_prune, .density = 0.4}}};
  SafetensorsFile const expected(fixtures / "combinations/expected.safetensors");
  auto const adapters = fixtures / "llama_tiny/adapters";
  for (auto const& [name, options, second] : runs) {
    CAPTURE(std::string(name));
    test::TemporaryDirectory const folder;
    combine_adapters({adapters / "lora_all_linear", adapters / "rslora_qv"}, {0.7, second}, options, folder / "made");
    SafetensorsFile const made(folder / "made/adapter_model.safetensors");
    auto const read = read_lora(folder / "made");
    CHECK(read.lora.scaling() == 1);
    for (auto const& [short_name, module] : {std::pair("q", "model.layers.0.self_attn.q_proj"), std::pair("k", "model.layers.1.self_attn.k_proj")}) {
      std::string const at = std::string(name) + "." + short_name + ".";
      if (options.combination == svd) {
        CHECK(relative(values(expected.find(at + "product")), product(read.modules.at(module))) <= 5e-6);  // theirs in float32
        continue;
      }
      for (char const* const part : {"lora_A", "lora_B"})
        CHECK(relative(values(expected.find(at + part)),
                       values(made.find("base_model.model." + std::string(module) + "." + part + ".weight"))) <= 1e-6);
    }
  }
}

TEST_CASE("combination parity: adapters that train more than LoRA matrices are refused by the tensor's name") {
  test::TemporaryDirectory const folder;
  CHECK(test::message_of([&] {
          combine_adapters({fixtures / "llama_tiny_untied/adapters/modules_to_save"}, {1}, {}, folder / "made");
        }).find("is no LoRA matrix") != std::string::npos);
  CHECK(std::filesystem::is_empty(folder.path()));
}

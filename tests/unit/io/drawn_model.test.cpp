// SPDX-License-Identifier: Apache-2.0
#include <graft/io/drawn_model.hpp>

#include <graft/core/parallel.hpp>
#include <graft/text/tokenizer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

using namespace graft;

namespace {

DrawnModel drawn(std::uint64_t seed) {
  ModelConfig config;
  config.num_hidden_layers = 8;
  return {config,
          {{"model.layers.0.self_attn.q_proj.weight", {256, 255}},
           {"model.layers.0.self_attn.o_proj.weight", {256, 256}},
           {"model.norm.weight", {16}},
           {"model.layers.0.self_attn.q_proj.bias", {16}}},
          seed};
}

std::vector<float> weight(DrawnModel const& model, std::size_t number, std::size_t size) {
  std::vector<float> values(size);
  model.download_weight(number, true, values);
  return values;
}

double deviation(std::vector<float> const& values) {
  double const squares = std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

}  // namespace

TEST_CASE("DrawnModel: mean 0 and the deviation of its kind; gains are 1 and biases 0") {
  auto const model = drawn(1);
  auto const q = weight(model, 0, 256 * 255), o = weight(model, 1, 256 * 256);
  CHECK(std::accumulate(q.begin(), q.end(), 0.0) / (256 * 255) == doctest::Approx(0).scale(1).epsilon(4e-4));
  CHECK(deviation(q) == doctest::Approx(0.02).epsilon(0.01));
  CHECK(deviation(o) == doctest::Approx(0.005).epsilon(0.01));  // 0.02/√(2·8)
  CHECK(weight(model, 2, 16) == std::vector<float>(16, 1.0f));
  CHECK(weight(model, 3, 16) == std::vector<float>(16, 0.0f));
}

TEST_CASE("DrawnModel: a weight is drawn to the same bits alone and with any number of threads; seeds and weights differ") {
  auto const first = weight(drawn(1), 0, 256 * 255);
  int const threads = num_threads();
  set_num_threads(1);
  CHECK(weight(drawn(1), 0, 256 * 255) == first);
  set_num_threads(threads);
  CHECK(weight(drawn(2), 0, 256 * 255) != first);
  auto const second = weight(drawn(1), 1, 256 * 255);
  CHECK(second[0] / first[0] != doctest::Approx(0.25));
}

TEST_CASE("byte_tokenizer_spec: any bytes come back") {
  Tokenizer const tokenizer(byte_tokenizer_spec());
  CHECK(tokenizer.size() == 257);
  std::string const text = "a \xC3\xA9\n";
  auto const ids = tokenizer.encode(text);
  CHECK(ids.size() == text.size());
  CHECK(tokenizer.decode(ids) == text);
}

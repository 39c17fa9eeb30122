// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/adamw8bit.hpp>
#include <graft/optim/lion8bit.hpp>

#include <doctest/doctest.h>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/optimizer_check.hpp>
#include <support/tensor_file.hpp>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;

static_assert(Optimizer<AdamW8bit, float, Reference> && Optimizer<Lion8bit, double, Reference>);

namespace {

std::vector<float> floats(TensorFile const& file, std::string const& name) {
  auto const& bytes = file.tensors.at(name).bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Follows bitsandbytes' steps. torch fuses some multiplications and additions, so a value may fall on the other side of a step
/// of the map: few codes may differ, by one.
template <class O>
void follows(O const& spec, std::string const& name, std::size_t slots) {
  TensorFile const golden(fixtures / "bitsandbytes" / "optimizers.safetensors");
  auto const start = floats(golden, "start"), gradients = floats(golden, "gradients");
  ToyParams<float> params;
  params.add("w", 2, 300, start);
  auto optimizer = bind(spec, params.trainable());
  int worst = 0;
  std::size_t codes_off = 0, codes_all = 0;
  double largest = 0;
  for (std::size_t step = 0; step < 6; ++step) {
    params.set_grad(0, {gradients.begin() + static_cast<std::ptrdiff_t>(600 * step), gradients.begin() + static_cast<std::ptrdiff_t>(600 * (step + 1))});
    optimizer.step(1e-2);
    std::string const prefix = name + "." + std::to_string(step) + ".";
    auto const expected = floats(golden, prefix + "parameter");
    auto const value = params.value(0);
    for (std::size_t i = 0; i < 600; ++i) largest = std::max(largest, static_cast<double>(std::abs(value[i] - expected[i])));
    auto const state = optimizer.tensors();
    REQUIRE(state.size() == 2 * slots);
    for (std::size_t s = 0; s < slots; ++s) {
      auto const& theirs = golden.tensors.at(prefix + "state" + std::to_string(s + 1)).bytes;
      REQUIRE(state[2 * s].codes.size() == theirs.size());
      for (std::size_t i = 0; i < theirs.size(); ++i, ++codes_all) {
        int const off = std::abs(static_cast<int>(theirs[i]) - static_cast<int>(state[2 * s].codes[i]));
        worst = std::max(worst, off);
        codes_off += off != 0 ? 1 : 0;
      }
      auto const absmax = floats(golden, prefix + "absmax" + std::to_string(s + 1));
      for (std::size_t b = 0; b < absmax.size(); ++b)
        CHECK(state[2 * s + 1].value.data[b] == doctest::Approx(absmax[b]).epsilon(1e-6));
    }
  }
  MESSAGE(name, ": largest difference ", largest, ", ", codes_off, " of ", codes_all, " codes differ");
  CHECK(worst <= 1);
  CHECK(largest <= 2e-6);
  CHECK(codes_off * 500 <= codes_all);
}

}  // namespace

TEST_CASE("adamw8bit, lion8bit: follow bitsandbytes through parameters, codes and scales") {
  follows(AdamW8bit{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .min_8bit_size = 1}, "adamw8bit", 2);
  follows(Lion8bit{.beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1, .min_8bit_size = 1}, "lion8bit", 1);
}

TEST_CASE("adamw8bit: 2.03 bytes of state a parameter, small parameters keep floats") {
  ToyParams<float> params;
  params.add("large", 64, 256, std::vector<float>(16384, 1.0f));
  auto large = bind(AdamW8bit{}, params.trainable());
  CHECK(static_cast<double>(large.state().bytes()) <= 2.1 * 16384);
  CHECK(large.tensors().size() == 4);
  CHECK(large.tensors()[1].name == "large.exp_avg.absmax");
  ToyParams<float> few;
  few.add("small", 1, 100, std::vector<float>(100, 1.0f));
  auto small = bind(AdamW8bit{}, few.trainable());
  REQUIRE(small.tensors().size() == 2);
  CHECK(small.tensors()[0].codes.empty());
  CHECK(small.tensors()[0].shape == few.trainable().params[0].shape);
}

TEST_CASE("adamw8bit: with its state in floats it is AdamW") {
  ToyParams<double> one, other;
  Rng rng(5);
  fill_random(one, rng);
  for (std::size_t i = 0; i < 2; ++i) {
    auto const& param = one.trainable().params[i];
    other.add(param.name, param.value.rows, param.value.cols, one.value(i));
  }
  auto eight = bind(AdamW8bit{.weight_decay = 0.1}, one.trainable());
  auto plain = bind(AdamW{.weight_decay = 0.1}, other.trainable());
  for (int step = 0; step < 5; ++step) {
    Rng same(9, static_cast<std::uint64_t>(step)), again(9, static_cast<std::uint64_t>(step));
    fill_random_grads(one, same);
    fill_random_grads(other, again);
    eight.step(1e-2);
    plain.step(1e-2);
  }
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < one.value(i).size(); ++j) CHECK(one.value(i)[j] == doctest::Approx(other.value(i)[j]).epsilon(1e-5));
}

TEST_CASE("adamw8bit, lion8bit: resume to the bit, and refuse what they cannot do") {
  for (int const cut : {0, 3}) {
    CHECK(resumes_to_the_bit(AdamW8bit{.min_8bit_size = 8}, cut, 7));  // one parameter in 8 bits, one in floats
    CHECK(resumes_to_the_bit(Lion8bit{.weight_decay = 0.1, .min_8bit_size = 0}, cut, 7));
  }
  ToyParams<float> params;
  params.add("w", 1, 1, {1});
  CHECK(message_of([&] { (void)bind(AdamW8bit{.beta1 = 1}, params.trainable()); }) == "[adamw8bit] beta1 must be in [0, 1): got 1");
  CHECK(message_of([&] { (void)bind(Lion8bit{.min_8bit_size = -1}, params.trainable()); }) ==
        "[optim] min_8bit_size must be 0 or more: got -1");
}

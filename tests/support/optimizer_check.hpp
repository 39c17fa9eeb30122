// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/optim/bind.hpp>
#include <support/toy_params.hpp>

#include <algorithm>
#include <vector>

namespace graft::test {

/// A matrix and a vector with random values: `random_params<double>(rng)`.
template <Scalar T>
void fill_random(ToyParams<T>& params, Rng& rng) {
  auto const draw = [&](std::size_t n) {
    std::vector<T> values(n);
    for (T& value : values) value = static_cast<T>(rng.normal());
    return values;
  };
  params.add("layers.0.weight", 3, 5, draw(15));
  params.add("layers.0.bias", 1, 7, draw(7));
}

template <Scalar T>
void fill_random_grads(ToyParams<T>& params, Rng& rng) {
  for (std::size_t i = 0; i < params.trainable().params.size(); ++i) {
    std::vector<T> values(static_cast<std::size_t>(params.trainable().params[i].grad.size()));
    for (T& value : values) value = static_cast<T>(rng.normal());
    params.set_grad(i, values);
  }
}

/// True if a run that is saved after `cut` of `steps` steps and resumed with fresh objects ends in the same bits.
template <class O>
[[nodiscard]] bool resumes_to_the_bit(O const& spec, int cut, int steps) {
  auto const train = [&](auto& optimizer, auto& params, int from, int to) {
    for (int step = from; step < to; ++step) {
      Rng rng(99, static_cast<std::uint64_t>(step));
      fill_random_grads(params, rng);
      optimizer.step(1e-2 / (1 + step));
    }
  };
  Rng rng(1);
  ToyParams<float> whole;
  fill_random(whole, rng);
  auto uninterrupted = bind(spec, whole.trainable());
  train(uninterrupted, whole, 0, cut);

  ToyParams<float> second;
  for (std::size_t i = 0; i < whole.trainable().params.size(); ++i) {
    auto const& param = whole.trainable().params[i];
    second.add(param.name, param.value.rows, param.value.cols, whole.value(i));
  }
  auto resumed = bind(spec, second.trainable());
  resumed.set_steps(uninterrupted.steps());
  auto const from = uninterrupted.tensors();
  auto const to = resumed.tensors();
  for (std::size_t k = 0; k < from.size(); ++k)
    if (from[k].codes.empty())
      second.upload(whole.read(from[k].value), to[k].value);
    else
      std::copy(from[k].codes.begin(), from[k].codes.end(), to[k].codes.begin());

  train(uninterrupted, whole, cut, steps);
  train(resumed, second, cut, steps);
  for (std::size_t i = 0; i < whole.trainable().params.size(); ++i)
    if (whole.value(i) != second.value(i)) return false;
  return resumed.steps() == steps;
}

}  // namespace graft::test

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/reference.hpp>
#include <graft/nn/builder.hpp>

#include <support/gradcheck.hpp>
#include <support/matrix.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace graft::test {

/// Random weights in f64 under names of the test's choice.
class NamedWeights {
 public:
  Matrix const& matrix(std::string const& name, Index rows, Index cols) {
    return add(name, {rows, cols}, Matrix::random(rows, cols, rng_, 0.5));
  }
  Matrix const& vector(std::string const& name, Index size, double centre = 0) {
    return add(name, {size}, Matrix::random(1, size, rng_, 0.4, centre));
  }
  Matrix const& operator[](std::string const& name) const { return tensors_.at(name).second; }
  [[nodiscard]] HostTensor get(std::string const& name) const {
    auto const& [shape, matrix] = tensors_.at(name);
    return {Storage::f64, shape, reinterpret_cast<std::byte const*>(matrix.values.data()), nullptr};
  }

 private:
  Matrix const& add(std::string const& name, std::vector<Index> shape, Matrix matrix) {
    return tensors_.insert_or_assign(name, std::pair(std::move(shape), std::move(matrix))).first->second.second;
  }

  Rng rng_{21};
  std::map<std::string, std::pair<std::vector<Index>, Matrix>> tensors_;
};

/// What a module alone needs to be built and run, in double on `Reference`.
template <class A>
struct ModuleBench {
  explicit ModuleBench(A adapter_, double norm_offset = 0) : adapter(std::move(adapter_)) { builder.norm_offset = norm_offset; }
  ModuleBench(ModuleBench const&) = delete;
  ModuleBench& operator=(ModuleBench const&) = delete;

  Reference backend;
  NamedWeights weights;
  A adapter;
  WeightProvider provider{[this](std::string const& name) { return weights.get(name); },
                          [](std::string const&) { return true; }};
  Builder<double, Reference, A> builder{backend, adapter, provider};
  Arena<Reference> arena{backend, std::size_t{1} << 21};
  Workspace<Reference> workspace{backend, arena};
};

/// Moves parameters, so that what starts at zero carries a gradient.
template <Scalar T>
void disturb(Params<T> const& params, double scale = 0.3) {
  Rng rng(11);
  for (auto const& param : params)
    for (Index i = 0; i < param.value.size(); ++i) param.value.data[i] += static_cast<T>(scale * rng.normal());
}

namespace detail {

[[nodiscard]] inline std::vector<Matrix> gradients_of(Params<double> const& params) {
  std::vector<Matrix> gradients;
  for (auto const& param : params) gradients.push_back(Matrix::copy(param.grad));
  return gradients;
}

}  // namespace detail

enum class Dx : bool { may_be_empty, is_needed };

/// Checks the backward pass of any module against central differences of Σ c·y, c random, for its parameters and its
/// input; that it adds to gradients and never overwrites them; that it leaves x and dy alone; and, where dx may be empty,
/// that the parameters get the same gradients then.
///   forward(x, y), backward(x, dy, dx); what forward keeps for backward may lie in the bench's arena
template <class A, class Forward, class Backward>
void check_module(ModuleBench<A>& bench, Params<double> params, Matrix& x, Index out_cols, Forward&& forward,
                  Backward&& backward, Dx dx_kind = Dx::may_be_empty) {
  Rng rng(77);
  Matrix y(x.rows, out_cols);
  Matrix const dy = Matrix::random(x.rows, out_cols, rng), x_before = x;
  Matrix dx(x.rows, x.cols);
  auto const own = params.size();
  params.push_back({"x", {x.rows, x.cols}, x.view(), dx.view()});

  std::vector<Matrix> noise;
  for (auto const& param : params) {
    noise.push_back(Matrix::random(param.grad.rows, param.grad.cols, rng));
    std::copy(noise.back().values.begin(), noise.back().values.end(), param.grad.data);
  }
  auto const run_forward = [&] {
    bench.arena.release(0);
    forward(x.view(), y.view());
  };
  Matrix const dy_before = dy;
  run_forward();
  backward(In<double>(x.view()), dy.view(), dx.view());
  CHECK(x == x_before);
  CHECK(dy == dy_before);
  for (std::size_t p = 0; p < params.size(); ++p)
    for (std::size_t i = 0; i < noise[p].values.size(); ++i) params[p].grad.data[i] -= noise[p].values[i];

  auto const result = check_gradients(params, [&] {
    run_forward();
    double total = 0;
    for (std::size_t i = 0; i < y.values.size(); ++i) total += dy.values[i] * y.values[i];
    return total;
  });
  CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);

  if (dx_kind == Dx::is_needed) return;
  auto const expected = detail::gradients_of(params);
  for (auto const& param : params) std::fill_n(param.grad.data, param.grad.size(), 0.0);
  run_forward();
  backward(In<double>(x.view()), dy.view(), Out<double>());
  auto const actual = detail::gradients_of(params);
  for (std::size_t p = 0; p < own; ++p) {
    CAPTURE(params[p].name);
    CHECK(distance(actual[p], expected[p]) <= 1e-12);
  }
  CHECK(actual.back() == Matrix(x.rows, x.cols));
}

}  // namespace graft::test

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/backend_agreement.hpp"
#include "support/stored_weights.hpp"

namespace graft::test {

struct RowShape {
  Index rows, cols;
};
inline constexpr RowShape row_shapes[] = {{0, 5}, {1, 1}, {1, 576}, {7, 33}, {70, 64}, {300, 129}, {2, 40000}, {5, 0}};

[[nodiscard]] inline std::string described(char const* op, RowShape s) {
  return std::string(op) + " " + std::to_string(s.rows) + "x" + std::to_string(s.cols);
}

template <Scalar T, class B>
void elementwise_agrees(B& backend, Demands demands = {}) {
  Rng rng(4);
  for (RowShape const s : row_shapes) {
    auto const random = [&](Index rows, Index cols, Index gap = 0) { return HostMatrix<T>::random(rows, cols, rng, 1, gap); };
    Case<T> data;
    data.matrices = {random(s.rows, s.cols), random(s.rows, s.cols)};
    agree<T>(backend, described("map", s), data, demands, [](auto& b, Arguments<T> const& a) {
      b.map(a.m[0].size(), [](T& x, T const& y) { x = x * x - y; }, a.m[0].data, static_cast<T const*>(a.m[1].data));
    });
    data.matrices = {random(s.rows, s.cols, 2), random(s.rows, s.cols, 5)};
    agree<T>(backend, described("copy", s), data, demands, [](auto& b, Arguments<T> const& a) { b.copy(a.m[0], a.m[1]); });
    data.matrices = {random(1, s.cols), random(s.rows, s.cols)};
    agree<T>(backend, described("add_bias", s), data, demands, [](auto& b, Arguments<T> const& a) { b.add_bias(a.m[0], a.m[1]); });
    agree<T>(backend, described("sum_rows", s), data, demands, [](auto& b, Arguments<T> const& a) { b.sum_rows(a.m[1], a.m[0]); });
    data.matrices = {random(1, s.rows), random(s.rows, s.cols)};
    agree<T>(backend, described("scale_rows", s), data, demands, [](auto& b, Arguments<T> const& a) { b.scale_rows(a.m[0].data, a.m[1]); });
    for (Index const gap : {0, 3}) {
      double sums[4] = {};
      int calls = 0;
      data.matrices = {random(s.rows, s.cols, gap)};
      agree<T>(backend, described("sum_of_squares", s), data, demands,
               [&](auto& b, Arguments<T> const& a) { sums[calls++] = b.sum_of_squares(a.m[0]); });
      CHECK(sums[1] == doctest::Approx(sums[0]).epsilon(1e-12));
      CHECK((sums[1] == sums[2] && sums[2] == sums[3]));
    }
    for (double const p : {0.0, 0.1, 0.5, 1.0})
      for (bool const accumulate : {false, true}) {
        data.matrices = {random(s.rows, s.cols), random(s.rows, s.cols)};
        agree<T>(backend, described("dropout", s), data, demands, [&](auto& b, Arguments<T> const& a) {
          b.dropout(a.m[0], static_cast<T>(p), Philox{7, 9}, accumulate, a.m[1]);
        });
      }
  }
}

template <Scalar T, class B>
void norms_agree(B& backend, Demands demands = {}) {
  Rng rng(5);
  for (RowShape const s : row_shapes)
    for (bool const parameters : {false, true}) {
      auto const random = [&](Index rows, Index cols) { return HostMatrix<T>::random(rows, cols, rng); };
      // x, gain, bias, dy, dx, dgain, dbias, y
      Case<T> data;
      data.matrices = {random(s.rows, s.cols), random(1, s.cols), random(1, s.cols), random(s.rows, s.cols),
                       random(s.rows, s.cols), random(1, s.cols), random(1, s.cols), random(s.rows, s.cols)};
      agree<T>(backend, described("rms_norm_forward", s), data, demands,
               [](auto& b, Arguments<T> const& a) { b.rms_norm_forward(a.m[0], a.m[1], static_cast<T>(1e-5), a.m[7]); });
      agree<T>(backend, described("rms_norm_backward", s), data, demands, [&](auto& b, Arguments<T> const& a) {
        b.rms_norm_backward(a.m[0], a.m[1], static_cast<T>(1e-5), a.m[3], a.m[4], parameters ? a.m[5] : Out<T>());
      });
      agree<T>(backend, described("layer_norm_forward", s), data, demands, [](auto& b, Arguments<T> const& a) {
        b.layer_norm_forward(a.m[0], a.m[1], a.m[2], static_cast<T>(1e-5), a.m[7]);
      });
      // One column has no variance: x̂ is rounding noise over sqrt(eps) in both.
      Demands const wider{s.cols == 1 ? 1e-3 : demands.float_tolerance, demands.double_tolerance, demands.steady};
      agree<T>(backend, described("layer_norm_backward", s), data, wider, [&](auto& b, Arguments<T> const& a) {
        b.layer_norm_backward(a.m[0], a.m[1], static_cast<T>(1e-5), a.m[3], a.m[4], parameters ? a.m[5] : Out<T>(),
                              parameters ? a.m[6] : Out<T>());
      });
    }
}

template <Scalar T, class B>
void gated_agrees(B& backend, Demands demands = {}) {
  Rng rng(6);
  for (RowShape const s : row_shapes)
    for (Activation const act : {Activation::silu, Activation::gelu_tanh}) {
      Case<T> data;
      for (int i = 0; i < 5; ++i) data.matrices.push_back(HostMatrix<T>::random(s.rows, s.cols, rng, 3));
      for (std::size_t i = 0; T const extreme : {T{0}, T{90}, T{-90}, T{200}, T{-200}, T{1000}, T{-1000}, T{1e6}, T{-1e6}})
        if (i < data.matrices[0].values.size()) data.matrices[0].values[i++] = extreme;
      agree<T>(backend, described("gated_forward", s), data, demands,
               [&](auto& b, Arguments<T> const& a) { b.gated_forward(act, a.m[0], a.m[1], a.m[3]); });
      agree<T>(backend, described("gated_forward without up", s), data, demands,
               [&](auto& b, Arguments<T> const& a) { b.gated_forward(act, a.m[0], In<T>(), a.m[3]); });
      for (std::size_t const place : {3u, 0u, 2u})  // dgate apart, and in the places of gate and dh
        agree<T>(backend, described("gated_backward without up", s), data, demands, [&](auto& b, Arguments<T> const& a) {
          b.gated_backward(act, a.m[0], In<T>(), a.m[2], a.m[place], Out<T>());
        });
      // gate 0, up 1, dh 2 → dgate, dup: apart, and in the places of gate and up, of dh and gate, of up and dh
      int const places[][2] = {{3, 4}, {0, 1}, {2, 0}, {1, 2}};
      for (auto const& place : places)
        agree<T>(backend, described("gated_backward", s), data, demands, [&](auto& b, Arguments<T> const& a) {
          b.gated_backward(act, a.m[0], a.m[1], a.m[2], a.m[static_cast<std::size_t>(place[0])], a.m[static_cast<std::size_t>(place[1])]);
        });
    }
}

template <Scalar T, class B>
void rope_agrees(B& backend, Demands demands = {}) {
  Rng rng(7);
  struct Shape {
    Index tokens, heads, dim, half;
  };
  for (Shape const s : {Shape{0, 2, 8, 4}, Shape{1, 1, 2, 1}, Shape{9, 3, 64, 32}, Shape{300, 2, 20, 10}, Shape{5, 4, 64, 16}}) {
    Case<T> data;
    std::vector<double> frequencies;
    for (Index i = 0; i < s.half; ++i) frequencies.push_back(std::pow(1e4, -static_cast<double>(i) / static_cast<double>(s.half)));
    data.ids.emplace_back();
    for (Index t = 0; t < s.tokens; ++t) data.ids[0].push_back(static_cast<std::int32_t>(rng.below(8192)));
    data.matrices = {HostMatrix<T>::random(s.tokens, s.heads * s.dim, rng), HostMatrix<T>::random(s.tokens, s.half, rng),
                     HostMatrix<T>::random(s.tokens, s.half, rng)};
    for (bool const inverse : {false, true})
      agree<T>(backend, "rope", data, demands, [&](auto& b, Arguments<T> const& a) {
        b.rope_tables(a.ids[0], frequencies, static_cast<T>(1.25), a.m[1], a.m[2]);
        b.rope(a.m[0], s.heads, a.m[1], a.m[2], inverse);
      });
  }
}

template <Scalar T, class B>
void embedding_agrees(B& backend, Demands demands = {}) {
  Rng rng(8);
  for (Storage const storage : all_storages)
    for (Index const tokens : {0, 1, 200}) {
      Case<T> data;
      data.storage = storage;
      data.weight_rows = 9;
      data.weight_cols = 256;
      data.weights = stored_weights(storage, data.weight_rows, data.weight_cols, rng);
      data.ids.emplace_back();
      for (Index t = 0; t < tokens; ++t) data.ids[0].push_back(static_cast<std::int32_t>(rng.below(9)));
      data.matrices = {HostMatrix<T>::random(tokens, 256, rng), HostMatrix<T>::random(9, 256, rng)};
      agree<T>(backend, "embedding", data, demands, [](auto& b, Arguments<T> const& a) {
        b.embedding_backward(a.ids[0], a.m[0], static_cast<T>(1.5), a.m[1]);
        b.embedding_forward(a.ids[0], a.weight, static_cast<T>(0.5), a.m[0]);
      });
    }
}

}  // namespace graft::test

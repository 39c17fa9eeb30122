// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/agreement/products.hpp"
#include "support/stored_weights.hpp"

#include <graft/backend/cpu/bf16_pairs.hpp>
#include <graft/backend/cpu/stored_dot.hpp>
#include <graft/quant/decode.hpp>

namespace graft::test {

/// Checks linear_forward and linear_backward_input of a backend with Precision::bf16: they are the exact products of the
/// operands rounded to bf16, accumulated in float, for as many tokens as `Precision` says; and double stays untouched.
template <class B>
void rounded_products_agree(B& backend, Demands demands = {}) {
  Rng rng(13);
  auto const rounded = [](HostMatrix<float> matrix) {
    for (float& value : matrix.values) value = to_float(to_bf16(value));
    return matrix;
  };
  for (Storage const storage : {Storage::f32, Storage::q4_1, Storage::bf16})
    for (Index const tokens : {1, 4, 5, 16, 17, 70}) {
      Index const out = 40, in = 256;
      Case<float> data, exact;
      data.storage = storage;
      exact.weight_rows = data.weight_rows = out;
      exact.weight_cols = data.weight_cols = in;
      data.weights = stored_weights(storage, out, in, rng);
      HostMatrix<float> decoded = HostMatrix<float>::filled(out, in, 0.0f);
      decode_rows(StoredMatrix{storage, data.weights.data(), out, in}, 0, out, Out<float>(decoded.values.data(), out, in));
      decoded = rounded(decoded);
      exact.weights.resize(decoded.values.size() * sizeof(float));
      std::memcpy(exact.weights.data(), decoded.values.data(), exact.weights.size());

      auto const forward = [](auto& b, Arguments<float> const& a) { b.linear_forward(a.m[0], a.weight, a.m[1]); };
      auto const backward = [](auto& b, Arguments<float> const& a) { b.linear_backward_input(a.m[1], a.weight, a.m[0]); };
      data.matrices = {HostMatrix<float>::random(tokens, in, rng), HostMatrix<float>::random(tokens, out, rng)};
      exact.matrices = {rounded(data.matrices[0]), data.matrices[1]};
      Reference reference;
      bool const many = tokens > 16, rounds_forward = many || (GRAFT_HAS_BF16_LANES && tokens > detail::most_dot_tokens);
      CHECK(deviation(run_case(backend, data, forward)[1], run_case(reference, rounds_forward ? exact : data, forward)[1]) < 3e-5);
      if (rounds_forward) CHECK(deviation(run_case(backend, data, forward)[1], run_case(reference, data, forward)[1]) > 1e-4);
      exact.matrices = {data.matrices[0], rounded(data.matrices[1])};
      CHECK(deviation(run_case(backend, data, backward)[0], run_case(reference, many ? exact : data, backward)[0]) < 3e-5);
    }
  linear_agrees<double>(backend, demands);
}

}  // namespace graft::test

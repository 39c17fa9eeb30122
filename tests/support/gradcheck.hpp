// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/param.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

namespace graft::test {

struct GradientDeviation {
  double largest = 0;  ///< |analytic - numeric| / max(|analytic|, |numeric|, floor)
  std::string where;
};

/// Compares the gradients that `params` hold with central differences of `loss`, in double, element by element (at most
/// `per_param` evenly spread elements of each). `params` must be in host memory. The five-point formula
/// (f(x-2h) - 8f(x-h) + 8f(x+h) - f(x+2h)) / 12h has an error of h⁴.
inline GradientDeviation check_gradients(Params<double> const& params, std::function<double()> const& loss,
                                         Index per_param = 24, double h = 5e-5, double floor = 1e-2) {
  GradientDeviation result;
  for (auto const& param : params) {
    Index const step = std::max<Index>(1, param.value.size() / per_param);
    for (Index i = 0; i < param.value.size(); i += step) {
      double& x = param.value.data[i];
      double const old = x;
      auto const at = [&](double offset) {
        x = old + offset;
        return loss();
      };
      double const numeric = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
      x = old;
      double const analytic = param.grad.data[i];
      double const scale = std::max({std::abs(analytic), std::abs(numeric), floor});
      double const deviation = std::abs(analytic - numeric) / scale;
      if (!(deviation <= result.largest)) result = {deviation, param.name + "[" + std::to_string(i) + "]"};
    }
  }
  return result;
}

}  // namespace graft::test

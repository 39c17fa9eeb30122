// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/clip.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>
#include <support/toy_params.hpp>

#include <limits>

using namespace graft;
using namespace graft::test;

namespace graft::test {

/// Gradients of norm 13: (3, 4) and (12).
template <Scalar T>
void set_norm_13(ToyParams<T>& params) {
  params.add("w", 2, 1, {0, 0});
  params.add("b", 1, 1, {0});
  params.set_grad(0, {3, 4});
  params.set_grad(1, {12});
}

}  // namespace graft::test

TEST_CASE("clip: gradients of all parameters share one norm and are scaled by torch's coefficient") {
  ToyParams<double> params;
  set_norm_13(params);
  CHECK(clip_grad_norm(params.trainable(), 2.6) == doctest::Approx(13).epsilon(1e-15));
  double const coefficient = 2.6 / (13 + 1e-6);
  CHECK(params.grad(0)[0] == doctest::Approx(3 * coefficient).epsilon(1e-15));
  CHECK(params.grad(1)[0] == doctest::Approx(12 * coefficient).epsilon(1e-15));
  CHECK(grad_norm(params.trainable()) == doctest::Approx(2.6).epsilon(1e-6));
}

TEST_CASE("clip: gradients below the limit keep their bits") {
  ToyParams<float> params;
  set_norm_13(params);
  for (double const limit : {13.1, 1e9, std::numeric_limits<double>::infinity()}) {
    CHECK(clip_grad_norm(params.trainable(), limit) == doctest::Approx(13));
    CHECK(params.grad(0) == std::vector<float>{3, 4});
    CHECK(params.grad(1) == std::vector<float>{12});
  }
}

TEST_CASE("clip: zero gradients have norm 0 and stay zero") {
  ToyParams<float> params;
  params.add("w", 2, 1, {1, 1});
  CHECK(clip_grad_norm(params.trainable(), 1) == 0);
  CHECK(params.grad(0) == std::vector<float>{0, 0});
}

TEST_CASE("clip: floats whose squares overflow a float still have a norm") {
  ToyParams<float> params;
  params.add("w", 2, 1, {0, 0});
  params.set_grad(0, {3e30f, 4e30f});
  CHECK(clip_grad_norm(params.trainable(), 1) == doctest::Approx(5e30));
  CHECK(params.grad(0)[1] == doctest::Approx(0.8));
}

TEST_CASE("clip: a norm that is not finite is reported and the gradients are left for the caller to see") {
  for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    ToyParams<float> params;
    set_norm_13(params);
    params.set_grad(1, {bad});
    CHECK_FALSE(std::isfinite(clip_grad_norm(params.trainable(), 1)));
    CHECK(params.grad(0) == std::vector<float>{3, 4});
  }
}

TEST_CASE("clip: a limit that is not positive is refused") {
  ToyParams<float> params;
  set_norm_13(params);
  for (double const limit : {0.0, -1.0, std::nan("")})
    CHECK(message_of([&] { clip_grad_norm(params.trainable(), limit); }).find("[clip] max_norm must be positive") == 0);
}

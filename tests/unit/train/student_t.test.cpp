// SPDX-License-Identifier: Apache-2.0
#include <graft/train/student_t.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <numbers>

using namespace graft;
using namespace graft::test;

TEST_CASE("student t: tail probabilities equal the closed forms of 1, 2 and 3 degrees of freedom") {
  for (double const t : {0.0, 0.01, 0.5, 1.0, 2.5, 12.0, 300.0}) {
    double const pi = std::numbers::pi;
    CHECK(student_t_two_sided(t, 1) == doctest::Approx(2 / pi * std::atan2(1, t)).scale(0).epsilon(1e-11));
    CHECK(student_t_two_sided(t, 2) ==
          doctest::Approx(2 / (2 + t * t + t * std::sqrt(2 + t * t))).scale(0).epsilon(1e-11));
    double const r = std::sqrt(3.0);
    CHECK(student_t_two_sided(t, 3) ==
          doctest::Approx(2 / pi * (std::atan2(r, t) - r * t / (3 + t * t))).epsilon(1e-13));
    CHECK(student_t_two_sided(-t, 5) == student_t_two_sided(t, 5));
  }
}

TEST_CASE("student t: critical values equal the printed tables and tend to the normal's") {
  CHECK(student_t_critical(0.05, 1) == doctest::Approx(std::tan(0.475 * std::numbers::pi)).epsilon(1e-10));
  CHECK(student_t_critical(0.05, 5) == doctest::Approx(2.570582).epsilon(1e-6));
  CHECK(student_t_critical(0.05, 10) == doctest::Approx(2.228139).epsilon(1e-6));
  CHECK(student_t_critical(0.01, 30) == doctest::Approx(2.749996).epsilon(1e-6));
  CHECK(student_t_critical(0.05, 120) == doctest::Approx(1.979930).epsilon(1e-6));
  CHECK(student_t_critical(0.05, 1e7) == doctest::Approx(z_95).epsilon(1e-6));
}

TEST_CASE("paired t-test: Gosset's sleep data give t = 4.0621 and p = 0.002833") {
  std::vector<double> const first{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
  std::vector<double> const second{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  auto const test = paired_t_test(first, second);
  CHECK(test.difference.estimate == doctest::Approx(1.58).epsilon(1e-12));
  CHECK(test.t == doctest::Approx(4.0621).epsilon(1e-5));
  CHECK(test.p_value == doctest::Approx(0.002833).epsilon(1e-3));
  CHECK(test.difference.low == doctest::Approx(0.7001142).epsilon(1e-6));
  CHECK(test.difference.high == doctest::Approx(2.4598858).epsilon(1e-6));
}

TEST_CASE("paired t-test: the interval excludes 0 exactly where p is below 0.05") {
  Rng rng(6);
  int significant = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> first(12);
    std::vector<double> second(12);
    for (std::size_t i = 0; i < 12; ++i) {
      first[i] = rng.normal();
      second[i] = first[i] + 0.6 * rng.normal() + 0.3;
    }
    auto const test = paired_t_test(first, second);
    bool const excludes = test.difference.low > 0 || test.difference.high < 0;
    CHECK(excludes == (test.p_value < 0.05));
    significant += excludes;
  }
  CHECK(significant > 20);
  CHECK(significant < 180);
}

TEST_CASE("paired t-test: equal lists differ by nothing, a constant shift is certain, one pair is too few") {
  std::vector<double> const values{1, 2, 5};
  std::vector<double> const shifted{2, 3, 6};
  CHECK(paired_t_test(values, values).p_value == 1);
  CHECK(paired_t_test(values, values).t == 0);
  auto const test = paired_t_test(values, shifted);
  CHECK(test.p_value == 0);
  CHECK(test.difference.low == 1);
  CHECK(test.difference.high == 1);
  std::vector<double> const one{1};
  CHECK(message_of([&] { (void)paired_t_test(one, one); }).find("at least 2 pairs: got 1") != std::string::npos);
  CHECK(message_of([&] { (void)paired_t_test(one, values); }).find("got 1 and 3") != std::string::npos);
}

// SPDX-License-Identifier: Apache-2.0
#include <graft/train/loss_curve.hpp>

#include <doctest/doctest.h>
#include <graft/train/chart_axis.hpp>
#include <support/files.hpp>

#include <cmath>
#include <limits>

using namespace graft;
using namespace graft::test;

namespace graft::test {

inline LossCurve falling_curve(Index steps) {
  LossCurve curve;
  for (Index step = 1; step <= steps; ++step) {
    double const s = static_cast<double>(step);
    curve.rows.push_back({.step = step,
                          .loss = 0.2 + 2 * std::exp(-s / 60) + 0.1 * std::sin(s * 12.9),
                          .learning_rate = 2e-4 * (1 - s / static_cast<double>(steps))});
    if (step % 50 == 0) curve.evaluations.push_back({.step = step, .loss = 0.35 + 2 * std::exp(-s / 60)});
  }
  return curve;
}

inline std::size_t occurrences(std::string const& text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return count;
}

}  // namespace graft::test

TEST_CASE("loss curve: training, smoothed, held-out and rate are drawn, with a dot an evaluation and labelled axes") {
  auto const svg = loss_curve_svg(falling_curve(300));
  CHECK(svg.starts_with("<svg xmlns="));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(occurrences(svg, "<path ") == 4);
  CHECK(occurrences(svg, "<circle ") == 6);
  for (auto const* text : {">optimizer step<", ">loss per supervised token<", ">held-out<", ">learning rate (right)<",
                           ">300<", ">0.0002<", ">Training loss<"})
    CHECK(svg.find(text) != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
}

TEST_CASE("loss curve: what is absent is not drawn, and an empty run is still a picture") {
  auto curve = falling_curve(300);
  curve.learning_rate = false;
  curve.evaluations.clear();
  auto const svg = loss_curve_svg(curve);
  CHECK(occurrences(svg, "<path ") == 2);
  CHECK(svg.find("learning rate") == std::string::npos);
  CHECK(svg.find("held-out") == std::string::npos);
  auto const empty = loss_curve_svg({});
  CHECK(occurrences(empty, "<path ") == 0);
  CHECK(empty.find("nan") == std::string::npos);
}

TEST_CASE("loss curve: a single step, equal losses and values that are not finite give finite coordinates and gaps") {
  double const nan = std::nan("");
  double const infinite = std::numeric_limits<double>::infinity();
  for (auto const& losses :
       std::vector<std::vector<double>>{{1}, {2, 2, 2}, {0, 0}, {-1, 3}, {nan, nan}, {1, nan, 2, infinite, 3}}) {
    LossCurve curve;
    for (double const loss : losses)
      curve.rows.push_back({.step = static_cast<Index>(curve.rows.size()) + 1, .loss = loss});
    auto const svg = loss_curve_svg(curve);
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("inf") == std::string::npos);
  }
  LossCurve gap;
  for (double const loss : {1.0, 2.0, nan, 3.0, 2.0})
    gap.rows.push_back({.step = static_cast<Index>(gap.rows.size()) + 1, .loss = loss});
  auto const svg = loss_curve_svg(gap);
  auto const path = svg.substr(svg.find("<path "), svg.find("/>", svg.find("<path ")) - svg.find("<path "));
  CHECK(occurrences(path, "M") == 2);
}

TEST_CASE("loss curve: a long run stays a small file and losses over decades get a logarithmic axis") {
  LossCurve curve;
  for (Index step = 1; step <= 100000; ++step)
    curve.rows.push_back(
        {.step = step, .loss = 5 * std::exp(-static_cast<double>(step) / 15000), .learning_rate = 1e-4});
  auto const svg = loss_curve_svg(curve);
  CHECK(svg.size() < 60000);
  CHECK(svg.find(">0.02<") != std::string::npos);
  CHECK(svg.find(">0.01<") != std::string::npos);
  CHECK(svg.find(">1<") != std::string::npos);
}

TEST_CASE("loss curve: a title with markup is text, and the file appears") {
  TemporaryDirectory folder;
  auto curve = falling_curve(60);
  curve.title = "a<b> & \"c\"";
  write_loss_curve(folder / "curve.svg", curve);
  CHECK(read_file(folder / "curve.svg").find("a&lt;b&gt; &amp; \"c\"") != std::string::npos);
}

TEST_CASE("chart axis: ticks are round, inside the axis and about as many as wanted") {
  CHECK(ChartAxis(0, 10, false, 0, 1).ticks(6) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(ChartAxis(0, 3, false, 0, 1).ticks(8, true) == std::vector<double>{0, 1, 2, 3});
  CHECK(ChartAxis(0.01, 1, true, 0, 1).ticks(6) == std::vector<double>{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1});
  for (double const high : {1e-6, 0.37, 1.0, 7.3, 2400.0, 1e9}) {
    ChartAxis const axis(0, high, false, 100, 0);
    auto const ticks = axis.ticks(6);
    CHECK(ticks.size() >= 3);
    CHECK(ticks.size() <= 8);
    CHECK(axis.pixel(ticks.front()) == doctest::Approx(100));
    CHECK(axis.pixel(ticks.back()) >= -1e-6);
  }
}

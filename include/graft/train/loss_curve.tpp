// SPDX-License-Identifier: Apache-2.0
#include <graft/io/atomic_file.hpp>
#include <graft/train/chart_axis.hpp>
#include <graft/train/loss_curve.hpp>

#include <cmath>
#include <limits>
#include <string_view>

namespace graft {

namespace detail {

struct CurvePoint {
  double step = 0;
  double value = 0;
};

/// At most `limit` points, each the mean of the finite values of a run of steps: a picture has no room for more.
GRAFT_INLINE std::vector<CurvePoint> thinned(std::vector<CurvePoint> const& points, std::size_t limit) {
  if (points.size() <= limit) return points;
  std::vector<CurvePoint> out;
  for (std::size_t k = 0; k < limit; ++k) {
    std::size_t const begin = k * points.size() / limit;
    std::size_t const end = (k + 1) * points.size() / limit;
    CurvePoint sum;
    double count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (!std::isfinite(points[i].value)) continue;
      sum.step += points[i].step;
      sum.value += points[i].value;
      ++count;
    }
    out.push_back(count > 0 ? CurvePoint{sum.step / count, sum.value / count}
                            : CurvePoint{points[begin].step, std::numeric_limits<double>::quiet_NaN()});
  }
  return out;
}

GRAFT_INLINE std::vector<CurvePoint> smoothed(std::vector<CurvePoint> const& points) {
  double const keep = 1 - 1 / std::max(1.0, static_cast<double>(points.size()) / 30);
  std::vector<CurvePoint> out;
  double mean = 0;
  double weight = 0;
  for (auto const& point : points) {
    if (!std::isfinite(point.value)) continue;
    mean = keep * mean + (1 - keep) * point.value;
    weight = keep * weight + (1 - keep);
    out.push_back({point.step, mean / weight});
  }
  return out;
}

GRAFT_INLINE std::string escaped(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (static_cast<unsigned char>(c) >= 0x20)
      out += c;
  }
  return out;
}

/// The elements of an SVG picture, built up as text.
class SvgText {
 public:
  void line(double x1, double y1, double x2, double y2, std::string_view style) {
    out_ +=
        "<line x1=\"" + fixed(x1) + "\" y1=\"" + fixed(y1) + "\" x2=\"" + fixed(x2) + "\" y2=\"" + fixed(y2) + "\" ";
    out_.append(style).append("/>\n");
  }
  void text(double x, double y, std::string_view content, std::string_view style) {
    out_ += "<text x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" ";
    out_.append(style).append(">").append(escaped(content)).append("</text>\n");
  }
  /// A path through the points; a value that is not finite interrupts it.
  void curve(std::vector<CurvePoint> const& points, ChartAxis const& x, ChartAxis const& y, std::string_view style) {
    std::string path;
    bool pen_down = false;
    for (auto const& point : points) {
      bool const finite = std::isfinite(point.value);
      if (finite) path += (pen_down ? "L" : "M") + fixed(x.pixel(point.step)) + " " + fixed(y.pixel(point.value));
      pen_down = finite;
    }
    if (path.empty()) return;
    out_ += "<path d=\"" + path + "\" fill=\"none\" stroke-linejoin=\"round\" ";
    out_.append(style).append("/>\n");
  }
  void dot(double x, double y, std::string_view style) {
    out_ += "<circle cx=\"" + fixed(x) + "\" cy=\"" + fixed(y) + "\" r=\"3.5\" ";
    out_.append(style).append("/>\n");
  }
  [[nodiscard]] std::string const& str() const { return out_; }

 private:
  [[nodiscard]] static std::string fixed(double value) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%.1f", value);
    return text.data();
  }
  std::string out_;
};

struct CurveStyle {
  static constexpr double width = 860, height = 440, left = 66, right = 790, top = 56, bottom = 386;
  static constexpr std::string_view grid = "stroke=\"#808080\" stroke-opacity=\"0.22\"";
  static constexpr std::string_view frame = "stroke=\"#808080\"";
  static constexpr std::string_view train = "stroke=\"#4a90d9\" stroke-width=\"1\" stroke-opacity=\"0.55\"";
  static constexpr std::string_view smooth = "stroke=\"#3a82d0\" stroke-width=\"2.2\"";
  static constexpr std::string_view held_out = "stroke=\"#dd7f23\" stroke-width=\"1.8\"";
  static constexpr std::string_view held_out_dot = "fill=\"#dd7f23\"";
  static constexpr std::string_view rate = "stroke=\"#858585\" stroke-width=\"1.2\" stroke-dasharray=\"5 4\"";
};

struct CurveSeries {
  std::vector<CurvePoint> train, smooth, held_out, rate;
};

GRAFT_INLINE CurveSeries curve_series(LossCurve const& curve) {
  CurveSeries series;
  for (auto const& row : curve.rows) {
    series.train.push_back({static_cast<double>(row.step), row.loss});
    if (curve.learning_rate) series.rate.push_back({static_cast<double>(row.step), row.learning_rate});
  }
  for (auto const& row : curve.evaluations) series.held_out.push_back({static_cast<double>(row.step), row.loss});
  series.smooth = thinned(smoothed(series.train), 800);
  series.train = thinned(series.train, 1600);
  series.rate = thinned(series.rate, 800);
  return series;
}

/// The loss axis: a little air around the values, logarithmic where they span decades.
GRAFT_INLINE ChartAxis loss_axis(CurveSeries const& series) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (auto const* points : {&series.train, &series.held_out})
    for (auto const& point : *points)
      if (std::isfinite(point.value)) {
        low = std::min(low, point.value);
        high = std::max(high, point.value);
      }
  if (high < low) low = 0, high = 1;
  bool const logarithmic = low > 0 && high / low > 30;
  double const air = 0.05 * (high - low);
  return logarithmic ? ChartAxis(low / 1.2, high * 1.2, true, CurveStyle::bottom, CurveStyle::top)
                     : ChartAxis(low >= 0 ? std::max(0.0, low - air) : low - air, high + air, false, CurveStyle::bottom,
                                 CurveStyle::top);
}

GRAFT_INLINE void draw_frame(SvgText& svg, ChartAxis const& x, ChartAxis const& y, std::string const& title) {
  using S = CurveStyle;
  for (double const value : y.ticks(6)) {
    svg.line(S::left, y.pixel(value), S::right, y.pixel(value), S::grid);
    svg.text(S::left - 8, y.pixel(value) + 4, ChartAxis::label(value), "text-anchor=\"end\"");
  }
  for (double const value : x.ticks(8, true)) {
    svg.line(x.pixel(value), S::bottom, x.pixel(value), S::bottom + 5, S::frame);
    svg.text(x.pixel(value), S::bottom + 20, ChartAxis::label(value), "text-anchor=\"middle\"");
  }
  svg.line(S::left, S::bottom, S::right, S::bottom, S::frame);
  svg.line(S::left, S::top, S::left, S::bottom, S::frame);
  svg.text((S::left + S::right) / 2, S::bottom + 42, "optimizer step", "text-anchor=\"middle\"");
  svg.text(18, (S::top + S::bottom) / 2, "loss per supervised token",
           "text-anchor=\"middle\" transform=\"rotate(-90 18 221)\"");
  svg.text(S::left, 22, title, "font-size=\"15\" font-weight=\"600\"");
}

GRAFT_INLINE void draw_rate(SvgText& svg, CurveSeries const& series, ChartAxis const& x) {
  using S = CurveStyle;
  double peak = 0;
  for (auto const& point : series.rate)
    if (std::isfinite(point.value)) peak = std::max(peak, point.value);
  if (peak == 0) return;
  ChartAxis const axis(0, peak * 1.05, false, S::bottom, S::top);
  svg.curve(series.rate, x, axis, S::rate);
  for (double const value : axis.ticks(4))
    svg.text(S::right + 8, axis.pixel(value) + 4, ChartAxis::label(value), "text-anchor=\"start\"");
}

GRAFT_INLINE void draw_legend(SvgText& svg, CurveSeries const& series) {
  using S = CurveStyle;
  double at = S::left;
  auto const entry = [&](bool shown, std::string_view style, std::string_view name, double width) {
    if (!shown) return;
    svg.line(at, 40, at + 22, 40, style);
    svg.text(at + 28, 44, name, "");
    at += width;
  };
  entry(!series.train.empty(), S::train, "training", 100);
  entry(!series.train.empty(), S::smooth, "training, smoothed", 164);
  entry(!series.held_out.empty(), S::held_out, "held-out", 104);
  entry(!series.rate.empty(), S::rate, "learning rate (right)", 0);
}

}  // namespace detail

GRAFT_INLINE std::string loss_curve_svg(LossCurve const& curve) {
  using S = detail::CurveStyle;
  auto const series = detail::curve_series(curve);
  double last = 1;
  for (auto const* points : {&series.train, &series.held_out})
    for (auto const& point : *points) last = std::max(last, point.step);
  ChartAxis const x(0, last, false, S::left, S::right);
  ChartAxis const y = detail::loss_axis(series);

  detail::SvgText svg;
  detail::draw_frame(svg, x, y, curve.title);
  detail::draw_rate(svg, series, x);
  svg.curve(series.train, x, y, S::train);
  svg.curve(series.smooth, x, y, S::smooth);
  svg.curve(series.held_out, x, y, S::held_out);
  for (auto const& point : series.held_out)
    if (std::isfinite(point.value)) svg.dot(x.pixel(point.step), y.pixel(point.value), S::held_out_dot);
  detail::draw_legend(svg, series);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 440\" width=\"860\" height=\"440\" "
         "font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"12\" "
         "fill=\"#808080\">\n<title>" +
         detail::escaped(curve.title) + "</title>\n" + svg.str() + "</svg>\n";
}

GRAFT_INLINE void write_loss_curve(std::filesystem::path const& path, LossCurve const& curve) {
  write_atomically(path, loss_curve_svg(curve));
}

}  // namespace graft

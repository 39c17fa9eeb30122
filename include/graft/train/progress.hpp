// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/train/peak_rss.hpp>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <string>

namespace graft {

/// What the progress line says of the step that just ended.
struct ProgressStep {
  Index step = 0;  ///< steps done, this one included
  double loss = 0;
  double learning_rate = 0;
  Index tokens = 0;    ///< of this step
  double flops = 0;    ///< floating-point operations of this step; 0: unknown, not shown
  double seconds = 0;  ///< of this step
};

struct ProgressOptions {
  Index total_steps = 0;
  double ceiling_flops = 0;  ///< measured FLOP/s of float products, which bf16 and int8 pass; 0: unknown, no share shown
  bool terminal = false;     ///< one line that is rewritten; otherwise plain lines, about 20 in a run
};

/// Whether a stream (1: standard output, 2: standard error) is a terminal that can rewrite its line.
[[nodiscard]] inline bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

/// Seconds as 42 s, 3:07 or 2:03:07.
[[nodiscard]] inline std::string format_duration(double seconds) {
  if (!(seconds >= 0 && seconds < 3.6e6)) return "?";
  auto const total = static_cast<long>(std::lround(seconds));
  std::array<char, 32> text{};
  if (total < 60)
    std::snprintf(text.data(), text.size(), "%ld s", total);
  else if (total < 3600)
    std::snprintf(text.data(), text.size(), "%ld:%02ld", total / 60, total % 60);
  else
    std::snprintf(text.data(), text.size(), "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
  return text.data();
}

/// Bytes in MiB or GiB.
[[nodiscard]] inline std::string format_bytes(double bytes) {
  std::array<char, 32> text{};
  bool const large = bytes >= 0x1p30;
  std::snprintf(text.data(), text.size(), large ? "%.2f GiB" : "%.0f MiB", bytes / (large ? 0x1p30 : 0x1p20));
  return text.data();
}

/// The progress line of a training run:
///   step 120/400  loss 1.2345  lr 2.00e-04  512 tok/s  35.1 GFLOP/s (71 % of float ceiling)  ETA 1:23  RSS 812 MiB
/// Rates and the ETA are means over the last `window` steps.
class Progress {
 public:
  static constexpr Index window = 16;

  Progress(std::ostream& out, ProgressOptions options)
      : out_(out),
        options_(options),
        every_(options.terminal ? 1 : std::max<Index>(1, (options.total_steps + 19) / 20)) {}
  Progress(Progress const&) = delete;
  Progress& operator=(Progress const&) = delete;
  ~Progress() { finish(); }

  void update(ProgressStep const& step) {
    recent_[static_cast<std::size_t>(seen_++ % window)] = step;
    bool const due = step.step % every_ == 0 || step.step == options_.total_steps || seen_ == 1;
    if (!due) return;
    if (options_.terminal) {
      out_ << '\r' << line(peak_rss_bytes()) << "\x1b[K" << std::flush;
      open_ = true;
    } else {
      out_ << line(peak_rss_bytes()) << '\n' << std::flush;
    }
  }

  /// Prints a line of its own, say an evaluation, without garbling the progress line.
  void message(std::string const& text) {
    if (open_) out_ << "\r\x1b[K";
    open_ = false;
    out_ << text << '\n' << std::flush;
  }

  /// Ends the line that is being rewritten.
  void finish() {
    if (open_) out_ << '\n' << std::flush;
    open_ = false;
  }

  /// The text of the line after the last update.
  [[nodiscard]] std::string line(Index rss_bytes) const {
    Index const count = std::min(seen_, window);
    if (count == 0) return "";
    double tokens = 0;
    double flops = 0;
    double seconds = 0;
    for (Index i = 0; i < count; ++i) {
      auto const& step = recent_[static_cast<std::size_t>(i)];
      tokens += static_cast<double>(step.tokens);
      flops += step.flops;
      seconds += step.seconds;
    }
    seconds = std::max(seconds, 1e-9);
    auto const& last = recent_[static_cast<std::size_t>((seen_ - 1) % window)];
    std::string text = "step " + std::to_string(last.step);
    if (options_.total_steps > 0) text += "/" + std::to_string(options_.total_steps);
    text += number("  loss %.4f", last.loss) + number("  lr %.2e", last.learning_rate) +
            number("  %.0f tok/s", tokens / seconds);
    if (flops > 0) {
      text += number("  %.1f GFLOP/s", flops / seconds * 1e-9);
      if (options_.ceiling_flops > 0)
        text += number(" (%.0f %% of float ceiling)", 100 * flops / seconds / options_.ceiling_flops);
    }
    if (options_.total_steps > 0)
      text += "  ETA " + format_duration(seconds / static_cast<double>(count) *
                                         static_cast<double>(std::max<Index>(0, options_.total_steps - last.step)));
    return text + "  RSS " + format_bytes(static_cast<double>(rss_bytes));
  }

 private:
  [[nodiscard]] static std::string number(char const* format, double value) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
  }

  std::ostream& out_;
  ProgressOptions options_;
  Index every_;
  std::array<ProgressStep, static_cast<std::size_t>(window)> recent_{};
  Index seen_ = 0;
  bool open_ = false;  // a line without its end is on the terminal
};

}  // namespace graft
